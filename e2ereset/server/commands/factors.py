"""`user totp|email-2fa`: the second factors of a user."""

from __future__ import annotations

from typing import Any

import click

from e2ereset import get_e2ereset
from e2ereset.cli import as_json, emit

from .base import find_account, user


@user.command("totp")
@click.argument("name")
@click.option("--off", is_flag=True, help="Disable it instead, and drop its backup codes.")
@as_json
def totp(name: str, off: bool, json_output: bool) -> None:
    """Enrol NAME in TOTP at once; the secret and the backup codes are shown this once."""
    account = find_account(name)
    if off:
        get_e2ereset().factors.disable_totp(account)
        data: dict[str, Any] = {"username": account.username, "totp": False}
        emit(data, [f"TOTP is off for {account.username}."], json_output)
        return
    made = get_e2ereset().factors.enrol_totp(account)
    data = {"secret": made.secret, "url": made.url, "backupCodes": list(made.backup_codes)}
    lines = [f"Secret: {made.secret}", made.url, "Backup codes:", *made.backup_codes]
    emit(data, lines, json_output)


@user.command("email-2fa")
@click.argument("name")
@click.option("--on/--off", "enabled", required=True, help="Switch it on or off.")
@as_json
def email_2fa(name: str, enabled: bool, json_output: bool) -> None:
    """Switch mailed codes as the second factor of NAME on or off."""
    account = find_account(name)
    get_e2ereset().factors.set_email(account, enabled)
    state = "on" if enabled else "off"
    data = {"username": account.username, "email2fa": enabled}
    emit(data, [f"Mailed codes are {state} for {account.username}."], json_output)
