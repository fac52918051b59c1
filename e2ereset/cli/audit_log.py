"""`audit`: the audit log, and what outsiders need to check it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click
from sqlalchemy.orm import Session

from e2ereset import audit
from e2ereset.files import private
from e2ereset.ports import Accounts
from e2ereset.runtime import Runtime, get_e2ereset
from e2ereset.store.transactions import disable_timeouts

from .base import Commands, as_json, emit, limit, table, with_reason

FILE = click.Path(dir_okay=False, path_type=Path)
OLD_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
TIME = click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"))
WHO = ("caller", "target")
SHOWN = "action", "caller", "target", "method", "outcome", "address", "agent", "reason"
COLUMNS = {"position": "place", "at": "time"} | dict(zip(SHOWN, SHOWN, strict=True))


@click.group("audit", cls=Commands)
def audit_log() -> None:
    """The log of resets, refusals and administrative acts."""


@audit_log.command("tail")
@limit(20)
@click.option("--target", metavar="NAME_OR_ID", help="Only what was done to this account.")
@as_json
def tail(limit: int, target: str | None, json_output: bool) -> None:
    """Show the newest rows, newest last."""
    runtime = get_e2ereset()
    with runtime.transactions.read() as session:
        chosen = None if target is None else _find_target(session, runtime.accounts, target)
        rows = audit.tail(session, limit, chosen)
    if target is not None and chosen == target and not rows:
        raise click.ClickException(f"There is no user {target!r}, and no row is about one.")
    names = _names(runtime, {row[who] for row in rows for who in WHO})
    for row in rows:
        row |= {f"{who}Name": names.get(row[who]) for who in WHO}
    shown = (row | {who: row[f"{who}Name"] or row[who] for who in WHO} for row in rows)
    emit(rows, table(shown, COLUMNS), json_output)


@audit_log.command("verify")
@click.option("--checkpoint", type=OLD_FILE, help="Hold the log against this file's checkpoints.")
@click.option("--public-key", multiple=True, help="Key of the checkpoints; may be repeated.")
@as_json
@click.pass_context
def verify(
    ctx: click.Context, checkpoint: Path | None, public_key: tuple[str, ...], json_output: bool
) -> None:
    """Check every row, their order and the tree heads; exits with 1 when anything is wrong."""
    runtime = get_e2ereset()
    public = [audit.PublicKey.parse(key) for key in public_key]
    with runtime.transactions.read() as session:
        disable_timeouts(session)
        flaws = audit.verify(session, runtime.keyring)
        rows, waiting = audit.count(session)
        if checkpoint:
            text = checkpoint.read_text(encoding="utf-8", errors="replace")
            flaws += audit.verify_checkpoints(session, runtime.keyring, text, public)
    wrong = any(flaw.wrong for flaw in flaws)
    data = [{"kind": f.kind, "where": f.where, "sentence": str(f)} for f in flaws]
    unsealed = f", {waiting} of them not sealed yet" if waiting else ""
    whole = [] if wrong else ["The audit log is whole."]
    lines = [f"{rows} row{'s' * (rows != 1)} checked{unsealed}.", *map(str, flaws), *whole]
    emit(data, lines, json_output)
    ctx.exit(1 if wrong else 0)


@audit_log.command("checkpoint")
@click.option("--out", type=FILE, help="Add it to this file and print nothing.")
@as_json
def checkpoint(out: Path | None, json_output: bool) -> None:
    """Seal what waits; print the newest head as a signed checkpoint."""
    runtime = get_e2ereset()
    runtime.sealer.seal()
    with runtime.transactions.read() as session:
        note = audit.make_checkpoint(session, runtime.keyring, runtime.settings.audit_origin)
    if out:
        with _writing(out):
            audit.append_note(out, note)
    else:
        emit({"checkpoint": note}, note.splitlines(), json_output)


@audit_log.command("public-key")
@as_json
def public_key(json_output: bool) -> None:
    """Print the key that checks checkpoints and receipts. It is no secret."""
    runtime = get_e2ereset()
    key = str(audit.public_keys(runtime.keyring, runtime.settings.audit_origin)[0])
    emit({"publicKey": key}, [key], json_output)


@audit_log.command("receipt")
@click.argument("row", metavar="UID_OR_POSITION")
@as_json
def receipt(row: str, json_output: bool) -> None:
    """Seal what waits; print the receipt of a row, which is JSON in any case."""
    runtime = get_e2ereset()
    runtime.sealer.seal()
    with runtime.transactions.read() as session:
        made = audit.receipt(session, runtime.keyring, runtime.settings.audit_origin, row)
    click.echo(json.dumps(made, indent=None if json_output else 2))


@audit_log.command("export")
@click.option("--out", type=FILE, help="Write to this file, which must not exist.")
@click.option("--since", type=TIME, help="Leave out what is older than this time (UTC).")
@as_json
def export(out: Path | None, since: datetime | None, json_output: bool) -> None:  # noqa: ARG001
    """Seal what waits; print every sealed row as a line of JSON, then a signed checkpoint."""
    runtime = get_e2ereset()
    with suppress(audit.AuditBroken):  # the export says so itself, behind its rows
        runtime.sealer.seal()
    origin = runtime.settings.audit_origin
    with runtime.transactions.read() as session, _opened(out) as file:
        disable_timeouts(session)
        for item in audit.export(session, runtime.keyring, origin, since=_epoch(since)):
            # Garbage that was slipped in as bytes must still make a line.
            file.write(json.dumps(item, default=bytes.hex) + "\n")


@audit_log.command("mend")
@click.option("--accept", is_flag=True, help="Yes: the evidence is safe elsewhere.")
@with_reason()
@as_json
def mend(accept: bool, operator: audit.Operator, json_output: bool) -> None:
    """Let a log go on whose end was broken; a row of the log says so for good."""
    if not accept:
        raise click.ClickException(
            "This gives up evidence. Copy the database and `e2ereset audit export` first, then"
            " say --accept."
        )
    runtime = get_e2ereset()
    now = int(runtime.clock())
    done = audit.mend(runtime.transactions, runtime.keyring, runtime.audit, now=now, by=operator)
    sealed = runtime.sealer.seal()
    line = f"The audit log {done}; {sealed} rows sealed."
    emit({"mended": done, "sealed": sealed}, [line], json_output)


def _find_target(session: Session, accounts: Accounts, target: str) -> str:
    """The id of the account of this id or name; the text itself where there is none."""
    found = accounts.find(session, target)
    if found is None:
        with suppress(Exception):  # a host may take ids of one form only
            found = accounts.get(session, target)
    return found.id if found else target


def _names(runtime: Runtime, ids: Iterable[str]) -> dict[str, str]:
    """The names of those ids that are accounts still."""
    names = {}
    for account_id in ids:
        # A session for each: a host that takes no such id may spoil it.
        with suppress(Exception), runtime.transactions.read() as session:
            if account_id and (account := runtime.accounts.get(session, account_id)):
                names[account_id] = account.username
    return names


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise click.ClickException(f"{path} can not be written: {fault.strerror}.") from None


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    with _writing(out), open(out, "x", encoding="utf-8", opener=private) as file:
        yield file


def _epoch(time: datetime | None) -> int | None:
    if time is None:
        return None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
