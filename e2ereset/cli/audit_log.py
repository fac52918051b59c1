"""`audit`: the audit log, and what outsiders need to check it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click
from sqlalchemy.orm import Session

from e2ereset import audit
from e2ereset.audit import checkpoints, maintenance, notes, outsiders
from e2ereset.audit import verify as checks
from e2ereset.files import private
from e2ereset.records import Account
from e2ereset.runtime import Runtime, get_e2ereset
from e2ereset.store.transactions import disable_timeouts

from .base import Commands, Output, as_json, limit, prints, table, with_reason, writing

FILE = click.Path(dir_okay=False, path_type=Path)
OLD_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
TIME = click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"))
WHO = ("caller", "target")
SHOWN = "action", "caller", "target", "method", "outcome", "address", "agent", "reason"
LookUp = Callable[[Session, str], Account | None]
audit_log = Commands("audit", help="The log of resets, refusals and administrative acts.")
COLUMNS = {"position": "place", "at": "time"} | dict(zip(SHOWN, SHOWN, strict=True))


@prints(audit_log.command("tail"))
@limit(20)
@click.option("--target", metavar="NAME_OR_ID", help="Only what was done to this account.")
def tail(runtime: Runtime, limit: int, target: str | None) -> Output:
    """Show the newest rows, newest last."""
    find, get = runtime.accounts.find, runtime.accounts.get
    found = None if target is None else _account(runtime, target, find, get)
    with runtime.transactions.read() as session:
        rows = audit.tail(session, limit, found.id if found else target)
    if target is not None and not found and not rows:
        raise click.ClickException(f"There is no user {target!r}, and no row is about one.")
    ids = {row[who] for row in rows for who in WHO} - {""}
    names = {one: account.username for one in ids if (account := _account(runtime, one, get))}
    for row in rows:
        row |= {f"{who}Name": names.get(row[who]) for who in WHO}
    shown = (row | {who: row[f"{who}Name"] or row[who] for who in WHO} for row in rows)
    return rows, table(shown, COLUMNS)


@prints(audit_log.command("verify"))
@click.option("--checkpoint", type=OLD_FILE, help="Hold the log against this file's checkpoints.")
@click.option("--public-key", multiple=True, help="Key of the checkpoints; may be repeated.")
def verify(runtime: Runtime, checkpoint: Path | None, public_key: tuple[str, ...]) -> Output:
    """Check every row, their order and the tree heads; exits with 1 when anything is wrong."""
    public = [notes.PublicKey.parse(key) for key in public_key]
    with runtime.transactions.read() as session:
        disable_timeouts(session)
        flaws = checks.verify(session, runtime.keyring)
        rows, waiting = audit.count(session)
        if checkpoint:
            text = checkpoint.read_text(encoding="utf-8", errors="replace")
            flaws += checks.verify_checkpoints(session, runtime.keyring, text, public)
    wrong = any(flaw.wrong for flaw in flaws)
    data = [{"kind": f.kind, "where": f.where, "sentence": str(f)} for f in flaws]
    unsealed = f", {waiting} of them not sealed yet" if waiting else ""
    whole = [] if wrong else ["The audit log is whole."]
    lines = [f"{rows} row{'s' * (rows != 1)} checked{unsealed}.", *map(str, flaws), *whole]
    return data, lines, int(wrong)


@prints(audit_log.command("checkpoint"))
@click.option("--out", type=FILE, help="Add it to this file and print nothing.")
def checkpoint(runtime: Runtime, out: Path | None) -> Output | None:
    """Seal what waits; print the newest head as a signed checkpoint."""
    runtime.sealer.seal()
    with runtime.transactions.read() as session:
        note = outsiders.make_checkpoint(session, runtime.keyring, runtime.settings.audit_origin)
    if not out:
        return {"checkpoint": note}, note.splitlines()
    with writing(out):
        checkpoints.append_note(out, note)
    return None


@prints(audit_log.command("public-key"))
def public_key(runtime: Runtime) -> Output:
    """Print the key that checks checkpoints and receipts. It is no secret."""
    key = str(notes.public_keys(runtime.keyring, runtime.settings.audit_origin)[0])
    return {"publicKey": key}, [key]


@prints(audit_log.command("receipt"))
@click.argument("row", metavar="UID_OR_POSITION")
def receipt(runtime: Runtime, row: str) -> Output:
    """Seal what waits; print the receipt of a row, which is JSON in any case."""
    runtime.sealer.seal()
    with runtime.transactions.read() as session:
        made = outsiders.receipt(session, runtime.keyring, runtime.settings.audit_origin, row)
    return made, json.dumps(made, indent=2).splitlines()


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
        for item in outsiders.export(session, runtime.keyring, origin, since=_epoch(since)):
            # Garbage that was slipped in as bytes must still make a line.
            file.write(json.dumps(item, default=bytes.hex) + "\n")


@prints(audit_log.command("mend"))
@click.option("--accept", is_flag=True, help="Yes: the evidence is safe elsewhere.")
@with_reason()
def mend(runtime: Runtime, accept: bool, operator: audit.Operator) -> Output:
    """Let a log go on whose end was broken; a row of the log says so for good."""
    if not accept:
        raise click.ClickException(
            "This gives up evidence. Copy the database and `e2ereset audit export` first, then"
            " say --accept."
        )
    now = int(runtime.clock())
    done = maintenance.mend(
        runtime.transactions, runtime.keyring, runtime.audit, now=now, by=operator
    )
    sealed = runtime.sealer.seal()
    return {"mended": done, "sealed": sealed}, [f"The audit log {done}; {sealed} rows sealed."]


def _account(runtime: Runtime, text: str, *ways: LookUp) -> Account | None:
    """The account that is found by this text; None also where the host takes no such text."""
    for look_up in ways:
        # A session for each: a text that the host does not take may spoil it.
        with suppress(Exception), runtime.transactions.read() as session:
            if account := look_up(session, text):
                return account
    return None


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    with writing(out), open(out, "x", encoding="utf-8", opener=private) as file:
        yield file


def _epoch(time: datetime | None) -> int | None:
    if time is None:
        return None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
