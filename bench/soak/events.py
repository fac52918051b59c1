"""What happens to the parts while the traffic runs."""

import signal
import time
from collections.abc import Callable

from .outages import Outages
from .parts import Deployment

SPACE = 100.0
"""Seconds from one event to the next in a long run."""

Event = Callable[[Deployment, Outages], None]


def kill_worker_of(number: int) -> Event:
    """SIGKILL a worker of this host."""

    def event(made: Deployment, outages: Outages) -> None:
        with outages.declare("worker", f"a worker of host {number + 1} killed"):
            made.hosts[number].kill_worker()

    return event


def restart_database(made: Deployment, outages: Outages) -> None:
    """PostgreSQL is restarted, every connection ended (`fast`)."""
    with outages.declare("database", "PostgreSQL restarted (fast)"):
        made.database.restart(signal.SIGINT)


def crash_database(made: Deployment, outages: Outages) -> None:
    """PostgreSQL ends at once and recovers from its log (`immediate`)."""
    with outages.declare("database", "PostgreSQL ended at once (immediate), then recovered"):
        made.database.stop(signal.SIGQUIT)
        time.sleep(3)
        made.database.start()


def stop_redis(made: Deployment, outages: Outages) -> None:
    """Redis is gone for some seconds, and what it had counted for good."""
    with outages.declare("redis", "Redis gone"):
        made.redis.stop(signal.SIGKILL)
        time.sleep(5)
        made.redis.start()


def stop_relay(made: Deployment, outages: Outages) -> None:
    """The mail relay refuses every connection."""
    with outages.declare("mail", "SMTP relay gone"):
        made.relay.stop()
        time.sleep(12)
        made.relay.start()


def upgrade(made: Deployment, outages: Outages) -> None:
    """Each host is taken out of nginx, restarted and put back, as docs/deploy.md says.

    No answer may get lost by it.
    """
    with outages.declare("upgrade", "hosts restarted, one after the other (excuses nothing)"):
        for host in made.hosts:
            made.use(without=host)
            time.sleep(1)
            host.stop()
            host.start()
            made.use()
            time.sleep(1)


EVENTS: tuple[Event, ...] = (
    kill_worker_of(0),
    restart_database,
    stop_redis,
    stop_relay,
    kill_worker_of(1),
    crash_database,
    upgrade,
)


def run_events(made: Deployment, outages: Outages, seconds: float) -> None:
    """Spread the events over so many seconds; each comes once, in a long run again."""
    start, count = time.time(), max(len(EVENTS), round(seconds / SPACE))
    for number in range(count):
        _sleep_until(start + seconds * (number + 0.5) / count)
        EVENTS[number % len(EVENTS)](made, outages)
    _sleep_until(start + seconds)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))
