"""`user password|email|verify|role|enable|disable|delete|reset-key`: change an account."""

import sys

import click

from e2ereset.cli.base import Output
from e2ereset.errors import ResetHeld
from e2ereset.server.people import administration
from e2ereset.server.people.acts import OnAccount

from .base import on_account, read_new_password, state

RELINQUISH = click.option(
    "--relinquish",
    is_flag=True,
    help="Rooms that NAME is the last owner of get another one; those without others are deleted.",
)


@on_account("password")
@click.option("--password-stdin", is_flag=True, help="Read it from standard input.")
def password(on: OnAccount, password_stdin: bool) -> Output:
    """Set a new password of NAME, which ends all sign-ins."""
    on.run(administration.set_password, read_new_password(from_stdin=password_stdin))
    username = on.account.username
    return {"username": username}, [f"{username} has a new password; all sign-ins were ended."]


@on_account("email")
@click.argument("address")
@click.option("--verified", is_flag=True, help="The address is verified.")
@click.option("--add", "beside", is_flag=True, help="Keep the other addresses.")
@click.option("--remove", is_flag=True, help="Remove it instead.")
def email(on: OnAccount, address: str, *, verified: bool, beside: bool, remove: bool) -> Output:
    """Give NAME this e-mail ADDRESS instead of the others. Old and new ones get a mail."""
    if remove and (verified or beside):
        raise click.UsageError("--remove goes with neither --verified nor --add.")
    if remove:
        on.run(administration.remove_address, address)
    else:
        on.run(administration.add_address, address, verified=verified, beside=beside)
    username, has = on.account.username, "does not have" if remove else "has"
    data = {"username": username, "address": address, "removed": remove}
    return data, [f"{username} {has} the address {address}."]


@on_account("verify")
@click.argument("address", required=False)
@click.option("--off", is_flag=True, help="Mark it as not verified.")
def verify(on: OnAccount, address: str | None, off: bool) -> Output:
    """Mark an address of NAME, or the only one, as verified."""
    done = on.run(administration.verify_address, address, verified=not off)
    words = ("not verified" if off else "verified") + ("" if done else " already")
    data = {"username": on.account.username, "verified": not off, "changed": done is not None}
    return data, [f"{done or address or 'The address'} is {words}."]


@on_account("role")
@click.option("--add", multiple=True, metavar="ROLE", help="May be repeated.")
@click.option("--remove", multiple=True, metavar="ROLE", help="May be repeated.")
def role(on: OnAccount, add: tuple[str, ...], remove: tuple[str, ...]) -> Output:
    """Give roles to NAME, or remove them; one administrator must remain."""
    if not (add or remove):
        raise click.UsageError("Say --add ROLE or --remove ROLE.")
    done, roles = on.run(administration.change_roles, add, remove)
    username = on.account.username
    data = {"username": username, "changes": done, "roles": roles}
    return data, [f"{username} has: {', '.join(roles) or 'no role'}."]


@on_account("enable")
def enable(on: OnAccount) -> Output:
    """Let NAME sign in again."""
    return _switch(on, active=True)


@on_account("disable")
@RELINQUISH
def disable(on: OnAccount, relinquish: bool) -> Output:
    """Keep NAME from signing in, and end all sign-ins; one administrator must remain."""
    return _switch(on, active=False, relinquish=relinquish)


@on_account("delete")
@click.option("--yes", is_flag=True, help="Do not ask.")
@RELINQUISH
def delete(on: OnAccount, yes: bool, relinquish: bool) -> Output:
    """Delete NAME with its key pair, factors and memberships; audit rows stay."""
    username = on.account.username
    if not yes and sys.stdin.isatty():
        click.confirm(f"Delete {username} for good?", abort=True, err=True)
    rooms = on.run(administration.delete_user, relinquish=relinquish)
    data = {"userId": on.account.id, "username": username, "deleted": True, "deletedRooms": rooms}
    return data, [f"{username} is deleted."]


@on_account("reset-key", reason_required=True)
@click.option("--despite-hold", is_flag=True, help="Also while the owner has resets held.")
def reset_key(on: OnAccount, despite_hold: bool) -> Output:
    """Reset the E2E key of NAME as a request would. It is audited, and the owner gets a mail."""
    reset = on.runtime.resets.reset_by_operator
    try:
        receipt = reset(on.operator, on.account.id, on.now, despite_hold=despite_hold)
    except ResetHeld as held:
        until = held.details["until"]
        raise click.ClickException(
            f"Resets of this key are held until {until}. With --despite-hold it is reset."
        ) from None
    username, nothing = on.account.username, receipt.nothing_to_reset
    words = "had no key; sign-ins were ended" if nothing else "has no key any more"
    return {"username": username, "nothingToReset": nothing}, [f"{username} {words}."]


def _switch(on: OnAccount, *, active: bool, relinquish: bool = False) -> Output:
    changed = on.run(administration.set_active, active, relinquish=relinquish)
    username = on.account.username
    data = {"username": username, "active": active, "changed": changed}
    return data, [f"{username} is switched {state(active, changed)}."]
