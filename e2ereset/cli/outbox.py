"""`outbox list|deliver`: the queued mails, and the process that delivers them."""

from __future__ import annotations

import signal
import threading

import click

from e2ereset.jobs.listing import tail
from e2ereset.runtime import Runtime, get_e2ereset

from .base import Commands, as_json, emit, limit, table

COLUMNS = {
    "id": "id",
    "created": "made",
    "kind": "kind",
    "recipient": "to",
    "state": "state",
    "attempts": "tries",
    "due": "due",
    "outcome": "outcome",
}


@click.group("outbox", cls=Commands)
def outbox() -> None:
    """The mails that are queued in the database."""


@outbox.command("list")
@limit(100)
@as_json
def list_outbox(limit: int, json_output: bool) -> None:
    """List the newest mails, newest last: never what stands in them."""
    with get_e2ereset().transactions.read() as session:
        mails = tail(session, limit)
    emit(mails, table(mails, COLUMNS), json_output)


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
