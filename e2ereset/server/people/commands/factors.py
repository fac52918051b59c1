"""`user totp|email-2fa|codes`: the second factors of a user."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from e2ereset.cli.base import Output, writing
from e2ereset.factors.changes import Enrolment
from e2ereset.files import private
from e2ereset.server.people.acts import OnAccount

from .base import on_account, state

FILE = click.Path(dir_okay=False, path_type=Path)
MODULE = 6  # pixels for each dot of a QR code


@on_account("totp")
@click.option("--off", is_flag=True, help="Disable it instead, and drop its backup codes.")
@click.option("--png", type=FILE, help="Write the QR code to this file, which must not exist.")
def totp(on: OnAccount, off: bool, png: Path | None) -> Output:
    """Enrol NAME in TOTP at once; QR code, secret and backup codes are shown only now."""
    account, factors = on.account, on.runtime.factors
    if off:
        words = state(False, factors.disable_totp(account, by=on.operator))
        data = {"username": account.username, "totp": False}
        return data, [f"TOTP is {words} for {account.username}."]
    file = _made(png) if png else None  # before: nobody could use it without its QR code
    made = factors.enrol_totp(account, by=on.operator)
    if file:
        with file:
            _code(made).save(file, kind="png", scale=MODULE)
    codes = list(made.backup_codes)
    return (
        {"secret": made.secret, "url": made.url, "backupCodes": codes},
        [*(() if file else _drawn(made)), f"Secret: {made.secret}", made.url, *_listed(codes)],
    )


@on_account("email-2fa")
@click.option("--on/--off", "enabled", required=True, help="Switch it on or off.")
def email_2fa(on: OnAccount, enabled: bool) -> Output:
    """Switch mailed codes as the second factor of NAME on or off; on, it needs an address."""
    changed = on.runtime.factors.set_email(on.account, enabled, by=on.operator)
    username = on.account.username
    line = f"Mailed codes are {state(enabled, changed)} for {username}."
    return {"username": username, "email2fa": enabled}, [line]


@on_account("codes")
def codes(on: OnAccount) -> Output:
    """Replace the backup codes of NAME; the new ones are shown only now."""
    made = list(on.runtime.factors.renew_backup_codes(on.account, by=on.operator))
    return {"username": on.account.username, "backupCodes": made}, _listed(made)


def _made(path: Path) -> Any:
    with writing(path):
        return open(path, "xb", opener=private)


def _listed(codes: list[str]) -> list[str]:
    return ["Backup codes:", *codes]


def _drawn(made: Enrolment) -> Iterator[str]:
    text = io.StringIO()
    _code(made).terminal(out=text, compact=True)
    yield from text.getvalue().splitlines()


def _code(made: Enrolment) -> Any:
    import segno  # not above: no worker needs it

    return segno.make(made.url, micro=False)
