"""The library's commands: `flask e2ereset permission|outbox|audit` in any host's command line.

A command prints one clear line and exits with 1 when it cannot do its work; no traceback.
"""

from __future__ import annotations

import json
import re
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from . import audit, mail
from .errors import E2EResetError
from .runtime import Runtime, get_e2ereset

OLD_SCHEMA = re.compile(r"no such (table|column)|(relation|column) .* does not exist")


class OneLineErrors(click.Group):
    """A group whose commands end with one clear line where they would raise what we know."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises ClickException for our own errors and the database's."""
        try:
            return super().invoke(ctx)
        except E2EResetError as error:
            raise click.ClickException(str(error)) from None
        except DBAPIError as error:
            raise click.ClickException(_explain(error)) from None


class Commands(OneLineErrors, AppGroup):
    """A group of commands that run in the context of the app."""


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flag `--json`, which arrives as `json_output`."""
    return click.option("--json", "json_output", is_flag=True, help="Print JSON.")(command)


def limit(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the option `--limit`."""
    bounds = click.IntRange(1, 10_000)
    return click.option("--limit", type=bounds, default=default, show_default=True)


def emit(data: Any, lines: Iterable[str], json_output: bool) -> None:
    """Print `data` as JSON, or the `lines` for people to read."""
    if json_output:
        click.echo(json.dumps(data))
        return
    for line in lines:
        # What strangers sent, such as an agent, must not reach the terminal as control codes.
        click.echo("".join(c if c.isprintable() else "?" for c in line))


def register_commands(app: Flask) -> None:
    """Put our commands under `flask e2ereset` of this app."""
    app.cli.add_command(e2ereset)


def _line(row: dict[str, Any]) -> str:
    return "  ".join("-" if value in (None, "") else str(value) for value in row.values())


def _explain(error: DBAPIError) -> str:
    words = (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
    if OLD_SCHEMA.search(words):
        return (
            f"The database lacks a part ({words}). Run `e2ereset db upgrade`, or in a host app"
            " `flask db upgrade`."
        )
    return f"The database does not do this: {words}"


@click.group(cls=Commands)
def e2ereset() -> None:
    """Permissions, queued mails and the audit log of e2ereset."""


@e2ereset.group("permission", cls=Commands)
def permission() -> None:
    """Which role holds which permission; a change holds for the very next request."""


@permission.command("list")
@as_json
def list_permissions(json_output: bool) -> None:
    """List the role-permission table."""
    runtime = get_e2ereset()
    with runtime.transactions.read() as session:
        rows = runtime.permissions.rows(session)
    data = [{"permission": name, "role": role} for name, role in rows]
    emit(data, (f"{name:32} {role}" for name, role in rows), json_output)


@permission.command("grant")
@click.argument("permission")
@click.argument("role")
@as_json
def grant(permission: str, role: str, json_output: bool) -> None:
    """Let ROLE have PERMISSION."""
    runtime = get_e2ereset()
    with runtime.transactions.begin() as session:
        runtime.permissions.grant(session, permission, role)
    data = {"permission": permission, "role": role, "granted": True}
    emit(data, [f"{role} has {permission}."], json_output)


@permission.command("revoke")
@click.argument("permission")
@click.argument("role")
@as_json
def revoke(permission: str, role: str, json_output: bool) -> None:
    """Take PERMISSION away from ROLE."""
    runtime = get_e2ereset()
    with runtime.transactions.begin() as session:
        runtime.permissions.revoke(session, permission, role)
    data = {"permission": permission, "role": role, "granted": False}
    emit(data, [f"{role} does not have {permission}."], json_output)


@e2ereset.group("outbox", cls=Commands)
def outbox() -> None:
    """The mails that are queued in the database."""


@outbox.command("list")
@limit(100)
@as_json
def list_outbox(limit: int, json_output: bool) -> None:
    """List the newest mails, newest last: never what stands in them."""
    with get_e2ereset().transactions.read() as session:
        mails = mail.tail(session, limit)
    emit(mails, map(_line, mails), json_output)


@outbox.command("deliver")
@click.option("--once", is_flag=True, help="Deliver what is due now, then end.")
@as_json
def deliver(once: bool, json_output: bool) -> None:
    """Deliver mails as they fall due, and seal the audit log, until SIGTERM or Ctrl-C."""
    runtime = get_e2ereset()
    if not once:
        _run_until_signal(runtime)
        return
    delivered, sealed = runtime.deliverer.deliver_due(), runtime.sealer.seal()
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


@e2ereset.group("audit", cls=Commands)
def audit_log() -> None:
    """The log of resets and refusals."""


@audit_log.command("tail")
@limit(20)
@as_json
def tail(limit: int, json_output: bool) -> None:
    """Show the newest rows, newest last."""
    with get_e2ereset().transactions.read() as session:
        rows = audit.tail(session, limit)
    emit(rows, map(_line, rows), json_output)


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
