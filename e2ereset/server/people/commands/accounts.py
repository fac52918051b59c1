"""`user password|email|verify|role|enable|disable|delete|reset-key`: looking after an account."""

from __future__ import annotations

import sys

import click

from e2ereset import get_e2ereset
from e2ereset.audit import Operator
from e2ereset.cli import as_json, emit, with_reason
from e2ereset.server.people import administration, emails
from e2ereset.server.people.acts import acting_as

from .base import find_account, read_digest, user


@user.command("password")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read it from standard input.")
@with_reason()
@as_json
def password(name: str, password_stdin: bool, operator: Operator, json_output: bool) -> None:
    """Set a new password of NAME, which ends all sign-ins."""
    account = find_account(name)
    digest = read_digest(from_stdin=password_stdin)
    administration.set_password(acting_as(operator), account, digest)
    lines = [f"{account.username} has a new password; all sign-ins were ended."]
    emit({"username": account.username}, lines, json_output)


@user.command("email")
@click.argument("name")
@click.argument("address")
@click.option("--verified", is_flag=True, help="The address is known to be the user's.")
@click.option("--add", "beside", is_flag=True, help="Keep the other addresses.")
@click.option("--remove", is_flag=True, help="Take it away instead.")
@with_reason()
@as_json
def email(
    name: str,
    address: str,
    *,
    verified: bool,
    beside: bool,
    remove: bool,
    operator: Operator,
    json_output: bool,
) -> None:
    """Give NAME the e-mail ADDRESS in the place of those it has. Old and new ones are told."""
    account, acting = find_account(name), acting_as(operator)
    if remove and (verified or beside):
        raise click.UsageError("--remove goes with neither --verified nor --add.")
    if remove:
        emails.remove_address(acting, account, address)
    else:
        emails.add_address(acting, account, address, verified=verified, beside=beside)
    data = {"username": account.username, "address": address, "removed": remove}
    words = "does not have" if remove else "has"
    emit(data, [f"{account.username} {words} the address {address}."], json_output)


@user.command("verify")
@click.argument("name")
@click.argument("address", required=False)
@click.option("--off", is_flag=True, help="It is not known to be the user's any more.")
@with_reason()
@as_json
def verify(
    name: str, address: str | None, *, off: bool, operator: Operator, json_output: bool
) -> None:
    """Take an address of NAME, or the only one, as known to be the user's."""
    account = find_account(name)
    done = emails.verify_address(acting_as(operator), account, address, verified=not off)
    state = "not verified" if off else "verified"
    data = {"username": account.username, "verified": not off, "changed": done is not None}
    line = f"{done or address or 'The address'} is {state}{'' if done else ' already'}."
    emit(data, [line], json_output)


@user.command("role")
@click.argument("name")
@click.option("--add", multiple=True, metavar="ROLE", help="May be repeated.")
@click.option("--remove", multiple=True, metavar="ROLE", help="May be repeated.")
@with_reason()
@as_json
def role(
    name: str,
    *,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    operator: Operator,
    json_output: bool,
) -> None:
    """Give roles to NAME and take roles away; one administrator has to remain."""
    if not (add or remove):
        raise click.UsageError("Say --add ROLE or --remove ROLE.")
    account = find_account(name)
    done = administration.change_roles(acting_as(operator), account, add=add, remove=remove)
    roles = find_account(name).roles
    data = {"username": account.username, "changes": done, "roles": list(roles)}
    emit(data, [f"{account.username} has: {', '.join(roles) or 'no role'}."], json_output)


@user.command("enable")
@click.argument("name")
@with_reason()
@as_json
def enable(name: str, operator: Operator, json_output: bool) -> None:
    """Let NAME sign in again."""
    _switch(name, operator, active=True, json_output=json_output)


@user.command("disable")
@click.argument("name")
@with_reason()
@as_json
def disable(name: str, operator: Operator, json_output: bool) -> None:
    """Keep NAME from signing in, and end all sign-ins; one administrator has to remain."""
    _switch(name, operator, active=False, json_output=json_output)


@user.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_reason()
@as_json
def delete(name: str, yes: bool, operator: Operator, json_output: bool) -> None:
    """Delete NAME with its key pair, factors and memberships; audit rows stay."""
    account = find_account(name)
    if not yes and sys.stdin.isatty():
        click.confirm(f"Delete {account.username} for good?", abort=True, err=True)
    administration.delete_user(acting_as(operator), account)
    data = {"userId": account.id, "username": account.username, "deleted": True}
    emit(data, [f"{account.username} is deleted."], json_output)


@user.command("reset-key")
@click.argument("name")
@with_reason(required=True)
@as_json
def reset_key(name: str, operator: Operator, json_output: bool) -> None:
    """Reset the E2E key of NAME as a request would; audited with the reason, and told."""
    runtime, account = get_e2ereset(), find_account(name)
    receipt = runtime.resets.reset_by_operator(operator, account.id, int(runtime.clock()))
    data = {"username": account.username, "nothingToReset": receipt.nothing_to_reset}
    words = "had no key; sign-ins were ended" if receipt.nothing_to_reset else "has no key any more"
    emit(data, [f"{account.username} {words}."], json_output)


def _switch(name: str, operator: Operator, *, active: bool, json_output: bool) -> None:
    account = find_account(name)
    changed = administration.set_active(acting_as(operator), account, active)
    state = ("on" if active else "off") + ("" if changed else " already")
    data = {"username": account.username, "active": active, "changed": changed}
    emit(data, [f"{account.username} is switched {state}."], json_output)
