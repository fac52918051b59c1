"""`outbox list|deliver|failed|retry|drop`: the queued mails and other jobs, and their worker."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import click
from sqlalchemy import Row
from sqlalchemy.orm import Session

from e2ereset.audit import Operator
from e2ereset.jobs import listing
from e2ereset.runtime import Runtime, get_e2ereset

from .base import Commands, as_json, emit, limit, table, with_reason

COLUMNS = {"id": "id", "created": "made", "kind": "kind", "recipient": "to"}
TRIED = {"attempts": "tries"}
STATES = {**COLUMNS, "state": "state", **TRIED, "due": "due", "outcome": "outcome"}
FAILURES = {**COLUMNS, "since": "failed", **TRIED, "retriable": "retriable", "outcome": "outcome"}
MOST = 2**63 - 1
Ids = tuple[int, ...]
Change = Callable[[Session, Ids | None, int], Sequence[Row[Any]]]


def ids_or_all(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ids of jobs, or `--all`, which arrive as `ids` and `every`."""
    ids = click.argument("ids", nargs=-1, type=click.IntRange(1, MOST), metavar="[ID]...")
    every = click.option("--all", "every", is_flag=True, help="All that failed.")
    return ids(every(command))


@click.group("outbox", cls=Commands)
def outbox() -> None:
    """The mails, and other jobs, that are queued in the database."""


@outbox.command("list")
@limit(100)
@as_json
def list_outbox(limit: int, json_output: bool) -> None:
    """List the newest mails, newest last: never what stands in them."""
    with get_e2ereset().transactions.read() as session:
        jobs = listing.tail(session, limit)
    emit(jobs, table(jobs, STATES), json_output)


@outbox.command("failed")
@limit(100)
@as_json
def list_failed(limit: int, json_output: bool) -> None:
    """List the newest jobs that were given up, newest last.

    One that is not retriable, such as the mail of a code, can only be dropped.
    """
    with get_e2ereset().transactions.read() as session:
        jobs = listing.failed(session, limit)
    emit(jobs, table(jobs, FAILURES), json_output)


@outbox.command("retry")
@ids_or_all
@with_reason()
@as_json
def retry(ids: Ids, every: bool, operator: Operator, json_output: bool) -> None:
    """Try failed jobs again, for as long as new ones."""
    count = _change(listing.retry, "retry-job", _chosen(ids, every), operator)
    emit({"retried": count}, [f"{count} jobs are tried again."], json_output)


@outbox.command("drop")
@ids_or_all
@with_reason()
@as_json
def drop(ids: Ids, every: bool, operator: Operator, json_output: bool) -> None:
    """Drop failed jobs: nobody gets those mails."""
    count = _change(listing.drop, "drop-job", _chosen(ids, every), operator)
    emit({"dropped": count}, [f"{count} jobs are dropped."], json_output)


def _chosen(ids: Ids, every: bool) -> Ids | None:
    if bool(ids) == every:
        raise click.UsageError("Give ids of failed jobs, or --all.")
    return None if every else ids


def _change(change: Change, action: str, ids: Ids | None, operator: Operator) -> int:
    """How many jobs were changed. Each has an audit row, whose target is its kind and id."""
    runtime = get_e2ereset()
    now = int(runtime.clock())
    with runtime.transactions.begin() as session:
        jobs = change(session, ids, now)
        for job in jobs:
            runtime.audit.write(session, action, operator, target=f"{job.kind} {job.id}", at=now)
    return len(jobs)


@outbox.command("deliver")
@click.option("--once", is_flag=True, help="Deliver what is due now, then end.")
@as_json
def deliver(once: bool, json_output: bool) -> None:
    """Deliver mails as they fall due, and seal the audit log, until SIGTERM or Ctrl-C."""
    runtime = get_e2ereset()
    if not once:
        _run_until_signal(runtime)
        return
    delivered, sealed = runtime.worker.run_due(), runtime.sealer.seal()
    data = {"delivered": delivered, "sealed": sealed}
    emit(data, [f"{delivered} mails delivered, {sealed} audit rows sealed."], json_output)


def _run_until_signal(runtime: Runtime) -> None:
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    for thread in runtime.background:
        thread.start()
    asked.wait()
    runtime.stop()
