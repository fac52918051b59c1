"""Whether this process can do its work, for /readyz; and how long its queues are, for /metrics."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select, text

from e2ereset.audit.models import AuditRow
from e2ereset.background import Background
from e2ereset.jobs.queue import IDLE, JOBS
from e2ereset.metrics.meter import Gauges
from e2ereset.store.tables import table
from e2ereset.store.transactions import Transactions, time_of

from .probe import Probe

MOST_SKEW = 10  # seconds; a third of a TOTP step
MAIL_LATE = 600  # seconds; a mailed code is worth nothing any more

AUDIT = table(AuditRow)
# By the time a mail is due, not by its age: one that a relay keeps refusing is put off, and must
# not take every server out of service for days.
# Work without a mail does not count either: anybody makes such rows, and nobody waits for them.
MAILS = and_(JOBS.c.due_at.is_not(None), JOBS.c.urgency < IDLE)
OLDEST_DUE = select(func.min(JOBS.c.due_at)).where(MAILS)
QUEUED = select(func.count(), func.min(JOBS.c.created_at)).where(MAILS)
UNSEALED = select(func.count()).select_from(AUDIT).where(AUDIT.c.position.is_(None))

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of being ready. Its sentence never names a secret, a host or SQL."""

    name: str
    ok: bool
    message: str


Look = Callable[[Connection], Condition]
"""One question to the database."""


class Health:
    """Whether one app is ready. `threads` are those that have to run in this process."""

    def __init__(
        self,
        transactions: Transactions,
        *,
        clock: Callable[[], float],
        threads: Iterable[Background] = (),
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._threads = tuple(threads)
        self._looks: list[tuple[str, Look]] = [("clock", self._time), ("mail", self._mail)]
        self._conditions = Probe(self._look)
        self._numbers = Probe(self._measure)

    def add(self, name: str, look: Look) -> None:
        """Ask one more question for `/readyz`."""
        self._looks.append((name, look))

    def conditions(self) -> list[Condition]:
        """All conditions, within seconds whatever hangs."""
        try:
            found = self._conditions.result()
        except (TimeoutError, RuntimeError):
            found = [Condition("database", False, "The database does not answer in time.")]
        return [*found, self._alive()]

    def gauges(self) -> Gauges:
        """How long the queues are, and whether the database answers."""
        try:
            numbers, up = self._numbers.result(), True
        except Exception as fault:
            log.warning("The queues could not be measured: %s", type(fault).__name__)
            numbers, up = [], False
        return [*numbers, ("e2ereset_database_up", "Whether the database answers.", up)]

    def _look(self) -> list[Condition]:
        reached = self._ask("database", lambda _: Condition("database", True, "It answers."))
        return [reached, *(self._ask(*look) for look in self._looks if reached.ok)]

    def _ask(self, name: str, look: Look) -> Condition:
        # A connection each: on PostgreSQL a failed question spoils those that follow it.
        try:
            with self._transactions.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                return look(connection)
        except Exception as fault:
            log.warning("The question %s failed: %s", name, type(fault).__name__)
            return Condition(name, False, "The database does not answer this.")

    def _time(self, connection: Connection) -> Condition:
        skew = abs(time_of(connection) - self._clock())
        words = f"The clocks of this machine and the database are {skew:.0f} s apart."
        return Condition("clock", skew <= MOST_SKEW, words)

    def _mail(self, connection: Connection) -> Condition:
        due = connection.scalar(OLDEST_DUE)
        late = 0 if due is None else max(0, int(self._clock()) - due)
        return Condition("mail", late <= MAIL_LATE, f"The mail next in turn is {late} s late.")

    def _alive(self) -> Condition:
        if not self._threads:
            return Condition("threads", True, "None belong to this process.")
        alive = all(thread.running for thread in self._threads)
        words = "They run." if alive else "A thread for mail or sealing has ended in this process."
        return Condition("threads", alive, words)

    def _measure(self) -> list[tuple[str, str, float]]:
        with self._transactions.engine.connect() as connection:
            mails, oldest = connection.execute(QUEUED).one()
            unsealed = connection.scalar(UNSEALED)
        age = 0 if oldest is None else max(0, int(self._clock()) - oldest)
        return [
            ("e2ereset_outbox_mails", "Mails that are queued.", mails),
            ("e2ereset_outbox_oldest_seconds", "Age of the oldest of them.", age),
            ("e2ereset_audit_unsealed_rows", "Audit rows that are not sealed yet.", unsealed or 0),
        ]
