"""`factor list|disable|unlock`: helps somebody who lost a phone, in any host."""

from collections.abc import Callable
from typing import Any

import click

from e2ereset.audit import Operator
from e2ereset.errors import E2EResetError
from e2ereset.factors.enrolment import METHODS, FactorStatus
from e2ereset.records import Account, iso_if_known
from e2ereset.runtime import Runtime

from .base import Commands, Output, facts, prints, with_reason

factor = Commands("factor", help="The second factors of an account, whoever keeps the accounts.")


class UnknownAccount(E2EResetError):
    """The host has no account of this name or id."""


def of_account(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument ACCOUNT, and the flag `--id` for an id in its place."""
    by_id = click.option("--id", "by_id", is_flag=True, help="ACCOUNT is an id, not a name.")
    return click.argument("account")(by_id(command))


@prints(factor.command("list"))
@of_account
def list_factors(runtime: Runtime, **account: Any) -> Output:
    """Show the second factors of ACCOUNT: since when, last used, codes left, what is locked."""
    found = find(runtime, **account)
    status = runtime.factors.status(found.id)
    data = {
        "userId": found.id,
        "username": found.username,
        **{name: fact for method in METHODS for name, fact in _facts(status, method).items()},
        "backupCodesLeft": status.backup_codes_left,
        "locked": list(status.locked),
    }
    return data, facts(data)


@prints(factor.command("disable"))
@of_account
@click.option("--method", type=click.Choice(METHODS), default="totp", show_default=True)
@with_reason()
def disable(runtime: Runtime, *, method: str, operator: Operator, **account: Any) -> Output:
    """Disable a second factor of ACCOUNT, such as that of a lost phone. The owner is told.

    TOTP is disabled with its backup codes; of passkeys all are removed. Whoever
    has no other factor has to enrol anew.
    """
    found, factors = find(runtime, **account), runtime.factors
    if method == "totp":
        changed = factors.disable_totp(found, by=operator)
    elif method == "passkey":
        changed = factors.remove_passkeys(found, by=operator)
    else:
        changed = factors.set_email(found, False, by=operator)
    data = {"userId": found.id, "method": method, "disabled": changed}
    words = "is off now" if changed else "was off already"
    return data, [f"{method} {words} for {found.username}."]


@prints(factor.command("unlock"))
@of_account
@with_reason()
def unlock(runtime: Runtime, operator: Operator, **account: Any) -> Output:
    """Unlock the methods of ACCOUNT that too many wrong tries have locked."""
    found = find(runtime, **account)
    unlocked = runtime.factors.unlock(found, by=operator.id, reason=operator.reason)
    data = {"userId": found.id, "unlocked": list(unlocked)}
    what = ", ".join(unlocked) or "nothing: nothing was locked"
    return data, [f"Unlocked for {found.username}: {what}."]


def _facts(status: FactorStatus, method: str) -> dict[str, Any]:
    """Whether the method is on, since when, and when it was last used."""
    history = status.history.get(method)
    enabled_at, used_at = (history.enabled_at, history.used_at) if history else (None, None)
    return {
        method: history is not None,
        f"{method}EnabledAt": iso_if_known(enabled_at),
        f"{method}LastUsedAt": iso_if_known(used_at),
    }


def find(runtime: Runtime, *, account: str, by_id: bool) -> Account:
    """The account of this name or id, by the host's own look-up. Raises UnknownAccount."""
    look_up = runtime.accounts.get if by_id else runtime.accounts.find
    with runtime.transactions.read() as session:
        found = look_up(session, account)
    if found is None:
        raise UnknownAccount(f"There is no account of the {'id' if by_id else 'name'} {account!r}.")
    return found
