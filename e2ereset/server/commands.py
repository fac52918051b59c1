"""The server's own commands: its users, their second factors and their tokens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click
from flask import Flask

from e2ereset import Account, cli, get_e2ereset
from e2ereset.cli import Commands, as_json, emit
from e2ereset.passwords import PasswordHasher
from e2ereset.records import iso

from .demo import demo
from .doctor import doctor
from .people import (
    NewPerson,
    Person,
    UnknownPerson,
    add_person,
    get_person,
    list_people,
)
from .sessions import NotActivated, current_sessions
from .tokens import NewToken, add_token


@click.group("user", cls=Commands)
def user() -> None:
    """The users of this server."""


GROUPS = (user, *cli.GROUPS, demo, doctor)  # this doctor knows more than the library's


def register(app: Flask) -> None:
    """Have our groups, and the library's, at the top level of the app's command line."""
    app.cli.commands.pop("e2ereset", None)
    for group in GROUPS:
        app.cli.add_command(group)


@user.command("add")
@click.argument("name")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="May be repeated.")
@click.option("--verified", is_flag=True, help="The addresses are known to be the user's.")
@click.option(
    "--role", "roles", multiple=True, default=["user"], show_default=True, help="May be repeated."
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@as_json
def add(name: str, password_stdin: bool, json_output: bool, **facts: Any) -> None:
    """Make the user NAME; without a password, tokens are the only way in."""
    runtime, hasher = get_e2ereset(), current_sessions().accounts.hasher
    password_hash = hasher.hash_digest(_read_digest()) if password_stdin else None
    new = NewPerson(username=name, password_hash=password_hash, **facts)
    with runtime.transactions.begin() as session:
        user_id = add_person(session, new, int(runtime.clock()), runtime.entropy).id
    data = {"userId": user_id, "username": name}
    emit(data, [f"{name} is made, with the id {user_id}."], json_output)


def _read_digest() -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise click.ClickException("There is no password on standard input.")
    return PasswordHasher.digest(line)


@user.command("totp")
@click.argument("name")
@click.option("--off", is_flag=True, help="Disable it instead, and drop its backup codes.")
@as_json
def totp(name: str, off: bool, json_output: bool) -> None:
    """Enrol NAME in TOTP at once; the secret and the backup codes are shown this once."""
    account = _account(name)
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
    account = _account(name)
    get_e2ereset().factors.set_email(account, enabled)
    state = "on" if enabled else "off"
    data = {"username": account.username, "email2fa": enabled}
    emit(data, [f"Mailed codes are {state} for {account.username}."], json_output)


@user.command("token")
@click.argument("name")
@click.option("--personal", metavar="LABEL", help="A personal access token, which never expires.")
@click.option("--bypass", is_flag=True, help="With --personal: it skips the second factor.")
@as_json
def token(name: str, personal: str | None, bypass: bool, json_output: bool) -> None:
    """Make a token of NAME: a sign-in, or a personal access token."""
    if bypass and not personal:
        raise click.UsageError("--bypass needs --personal.")
    runtime, account = get_e2ereset(), _account(name)
    now = int(runtime.clock())
    with runtime.transactions.begin() as session:
        if personal:
            new = NewToken(
                user_id=account.id,
                created_at=now,
                expires_at=None,
                name=personal,
                bypass_two_factor=bypass,
            )
            made = add_token(session, new, runtime.entropy)
        else:
            made = current_sessions().add(session, account.id, now).token
    if made is None:
        raise NotActivated
    data = {"userId": account.id, "authToken": made}
    emit(data, [f"X-User-Id: {account.id}", f"X-Auth-Token: {made}"], json_output)


@user.command("show")
@click.argument("name")
@as_json
def show(name: str, json_output: bool) -> None:
    """Show NAME: roles, addresses, second factors, whether a key is set."""
    with get_e2ereset().transactions.read() as session:
        facts = _facts(get_person(session, name))
    emit(facts, (f"{key:16} {_text(value)}" for key, value in facts.items()), json_output)


@user.command("list")
@as_json
def list_users(json_output: bool) -> None:
    """List all users."""
    with get_e2ereset().transactions.read() as session:
        people = [_facts(person) for person in list_people(session)]
    emit(people, _table(people), json_output)


def _account(name: str) -> Account:
    with get_e2ereset().transactions.read() as session:
        account = current_sessions().accounts.find(session, name)
    if account is None:
        raise UnknownPerson(f"There is no user {name!r}.")
    return account


def _facts(person: Person) -> dict[str, Any]:
    """A user in JSON. `keySet` says whether an E2E key pair is stored."""
    return {
        "userId": person.user_id,
        "username": person.username,
        "active": person.active,
        "kind": person.kind,
        "roles": list(person.roles),
        "emails": [{"address": address, "verified": ok} for address, ok in person.emails],
        "password": person.has_password,
        "totp": person.totp,
        "email2fa": person.email_2fa,
        "backupCodesLeft": person.backup_codes_left,
        "keySet": person.has_key,
        "createdAt": iso(person.created_at),
    }


def _text(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case [{"address": _}, *_]:
            return ", ".join(
                mail["address"] + ("" if mail["verified"] else " (not verified)") for mail in value
            )
        case list():
            return ", ".join(value) or "-"
        case _:
            return str(value)


def _table(people: list[dict[str, Any]]) -> Iterator[str]:
    columns = ("username", "userId", "active", "roles", "totp", "email2fa", "password", "keySet")
    yield from (
        "  ".join(f"{text:17}" for text in row).rstrip()
        for row in (columns, *([_text(person[key]) for key in columns] for person in people))
    )
