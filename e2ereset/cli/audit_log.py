"""`audit tail|verify`: the log of resets and refusals."""

from __future__ import annotations

import click

from e2ereset import audit
from e2ereset.runtime import get_e2ereset

from .base import Commands, as_json, emit, limit, line


@click.group("audit", cls=Commands)
def audit_log() -> None:
    """The log of resets and refusals."""


@audit_log.command("tail")
@limit(20)
@as_json
def tail(limit: int, json_output: bool) -> None:
    """Show the newest rows, newest last."""
    with get_e2ereset().transactions.read() as session:
        rows = audit.tail(session, limit)
    emit(rows, map(line, rows), json_output)


@audit_log.command("verify")
@as_json
@click.pass_context
def verify(ctx: click.Context, json_output: bool) -> None:
    """Check every row, their order and the tree heads; exits with 1 when anything is wrong."""
    runtime = get_e2ereset()
    with runtime.transactions.read() as session:
        findings = audit.verify(session, runtime.keyring)
    data = [{"kind": f.kind, "where": f.where, "sentence": str(f)} for f in findings]
    lines = map(str, findings) if findings else ["The audit log is whole."]
    emit(data, lines, json_output)
    ctx.exit(1 if findings else 0)
