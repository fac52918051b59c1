"""`user totp|email-2fa|codes|unlock`: the second factors of a user."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from e2ereset import Account, get_e2ereset
from e2ereset.audit import Operator
from e2ereset.cli import as_json, emit, with_reason
from e2ereset.factors.enrolment import Enrolment
from e2ereset.files import private
from e2ereset.server.people.acts import acting_as

from .base import find_account, user

FILE = click.Path(dir_okay=False, path_type=Path)
MODULE = 6  # pixels for each dot of a QR code


@user.command("totp")
@click.argument("name")
@click.option("--off", is_flag=True, help="Disable it instead, and drop its backup codes.")
@click.option("--png", type=FILE, help="Write the QR code to this file, which must not exist.")
@with_reason()
@as_json
def totp(name: str, *, off: bool, png: Path | None, operator: Operator, json_output: bool) -> None:
    """Enrol NAME in TOTP at once; QR code, secret and backup codes are shown this once."""
    account, factors = find_account(name), get_e2ereset().factors
    if off:
        changed = factors.disable_totp(account, by=operator)
        words = "off" if changed else "off already"
        data: dict[str, Any] = {"username": account.username, "totp": False}
        emit(data, [f"TOTP is {words} for {account.username}."], json_output)
        return
    file = _make_file(png) if png else None
    made = factors.enrol_totp(account, by=operator)
    if file:
        with file:
            _code(made).save(file, kind="png", scale=MODULE)
    data = {"secret": made.secret, "url": made.url, "backupCodes": list(made.backup_codes)}
    emit(data, _enrolled(made, in_terminal=not file), json_output)


@user.command("email-2fa")
@click.argument("name")
@click.option("--on/--off", "enabled", required=True, help="Switch it on or off.")
@with_reason()
@as_json
def email_2fa(name: str, enabled: bool, operator: Operator, json_output: bool) -> None:
    """Switch mailed codes as the second factor of NAME on or off; on, it needs an address."""
    account = find_account(name)
    changed = get_e2ereset().factors.set_email(account, enabled, by=operator)
    state = ("on" if enabled else "off") + ("" if changed else " already")
    data = {"username": account.username, "email2fa": enabled}
    emit(data, [f"Mailed codes are {state} for {account.username}."], json_output)


@user.command("codes")
@click.argument("name")
@with_reason()
@as_json
def codes(name: str, operator: Operator, json_output: bool) -> None:
    """Make new backup codes for NAME in the place of the old ones; they are shown this once."""
    account = find_account(name)
    made = get_e2ereset().factors.renew_backup_codes(account, by=operator)
    data = {"username": account.username, "backupCodes": list(made)}
    emit(data, ["Backup codes:", *made], json_output)


@user.command("unlock")
@click.argument("name")
@with_reason()
@as_json
def unlock(name: str, *, operator: Operator, json_output: bool) -> None:
    """Let the second factors and the password of NAME be tried again, at once."""
    account, acting = find_account(name), acting_as(operator)

    def act(session: Session, present: Account) -> tuple[str, ...]:
        acting.sessions.tries.forget(session, present)
        return acting.runtime.factors.unlock_in(session, present, operator, at=acting.now)

    unlocked = acting.change(account, act)
    words = "unlocked: " + ", ".join(unlocked) if unlocked else "nothing was locked"
    data = {"username": account.username, "unlocked": list(unlocked)}
    emit(data, [f"{account.username} can try again; {words}."], json_output)


def _make_file(path: Path) -> Any:
    # Before the enrolment, which nobody could use if its code could not be written.
    try:
        return open(path, "xb", opener=private)
    except OSError as fault:
        raise click.ClickException(f"{path} can not be written: {fault.strerror}.") from None


def _enrolled(made: Enrolment, *, in_terminal: bool) -> Iterator[str]:
    if in_terminal:
        text = io.StringIO()
        _code(made).terminal(out=text, compact=True)
        yield from text.getvalue().splitlines()
    yield f"Secret: {made.secret}"
    yield made.url
    yield "Backup codes:"
    yield from made.backup_codes


def _code(made: Enrolment) -> Any:
    import segno  # not above: no worker needs it

    return segno.make(made.url, micro=False)
