"""`outbox list|deliver|failed|retry|drop`: the queued mails and other jobs, and their worker."""

import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import click
from sqlalchemy import Row
from sqlalchemy.orm import Session

from e2ereset.audit import Operator
from e2ereset.jobs import listing
from e2ereset.runtime import Runtime

from .base import Commands, Output, limit, prints, table, with_reason

COLUMNS = {"id": "id", "created": "made", "kind": "kind", "recipient": "to"}
TRIED = {"attempts": "tries"}
STATES = {**COLUMNS, "state": "state", **TRIED, "due": "due", "outcome": "outcome"}
FAILURES = {**COLUMNS, "since": "failed", **TRIED, "retriable": "retriable", "outcome": "outcome"}
MOST = 2**63 - 1
Ids = tuple[int, ...]
Change = Callable[[Session, Ids | None, int], Sequence[Row[Any]]]
outbox = Commands("outbox", help="The mails, and other jobs, that are queued in the database.")


def ids_or_all(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ids of jobs, or `--all`, which arrive as `ids` and `every`."""
    ids = click.argument("ids", nargs=-1, type=click.IntRange(1, MOST), metavar="[ID]...")
    every = click.option("--all", "every", is_flag=True, help="All that failed.")
    return ids(every(command))


@prints(outbox.command("list"))
@limit(100)
def list_outbox(runtime: Runtime, limit: int) -> Output:
    """List the newest mails, newest last: never what stands in them."""
    with runtime.transactions.read() as session:
        jobs = listing.tail(session, limit)
    return jobs, table(jobs, STATES)


@prints(outbox.command("failed"))
@limit(100)
def list_failed(runtime: Runtime, limit: int) -> Output:
    """List the newest jobs that were given up, newest last.

    One that is not retriable, such as the mail of a code, can only be dropped.
    """
    with runtime.transactions.read() as session:
        jobs = listing.failed(session, limit)
    return jobs, table(jobs, FAILURES)


@prints(outbox.command("retry"))
@ids_or_all
@with_reason()
def retry(runtime: Runtime, **asked: Any) -> Output:
    """Try failed jobs again, for as long as new ones."""
    count = _change(runtime, listing.retry, "retry-job", **asked)
    return {"retried": count}, [f"{count} jobs are tried again."]


@prints(outbox.command("drop"))
@ids_or_all
@with_reason()
def drop(runtime: Runtime, **asked: Any) -> Output:
    """Drop failed jobs: nobody gets those mails."""
    count = _change(runtime, listing.drop, "drop-job", **asked)
    return {"dropped": count}, [f"{count} jobs are dropped."]


def _change(
    runtime: Runtime, change: Change, action: str, *, ids: Ids, every: bool, operator: Operator
) -> int:
    """How many jobs were changed. Each has an audit row, whose target is its kind and id."""
    if bool(ids) == every:
        raise click.UsageError("Give ids of failed jobs, or --all.")
    now = int(runtime.clock())
    with runtime.transactions.begin() as session:
        jobs = change(session, None if every else ids, now)
        for job in jobs:
            runtime.audit.write(session, action, operator, target=f"{job.kind} {job.id}", at=now)
    return len(jobs)


@prints(outbox.command("deliver"))
@click.option("--once", is_flag=True, help="Deliver what is due now, then end.")
def deliver(runtime: Runtime, once: bool) -> Output | None:
    """Deliver mails as they fall due, and seal the audit log, until SIGTERM or Ctrl-C."""
    if not once:
        _run_until_signal(runtime)
        return None
    delivered, sealed = runtime.worker.run_due(), runtime.sealer.seal()
    data = {"delivered": delivered, "sealed": sealed}
    return data, [f"{delivered} mails delivered, {sealed} audit rows sealed."]


def _run_until_signal(runtime: Runtime) -> None:
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    for thread in runtime.background:
        thread.start()
    asked.wait()
    runtime.stop()
