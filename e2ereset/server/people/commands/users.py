"""`user add|show|list`: the users of this server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from e2ereset import get_e2ereset
from e2ereset.audit import Operator
from e2ereset.cli import as_json, emit, with_reason
from e2ereset.factors.budgets import all_locks, locks
from e2ereset.records import iso
from e2ereset.server.people.acts import acting_as
from e2ereset.server.people.administration import add_user
from e2ereset.server.people.service import NewPerson, Person, get_person, list_people
from e2ereset.server.sessions.service import current_sessions

from .base import read_digest, user


@user.command("add")
@click.argument("name")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="May be repeated.")
@click.option("--verified", is_flag=True, help="The addresses are known to be the user's.")
@click.option(
    "--role", "roles", multiple=True, default=["user"], show_default=True, help="May be repeated."
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@with_reason()
@as_json
def add(
    name: str, *, password_stdin: bool, operator: Operator, json_output: bool, **facts: Any
) -> None:
    """Make the user NAME; without a password, tokens are the only way in."""
    hasher = current_sessions().accounts.hasher
    digest = read_digest(from_stdin=True) if password_stdin else None
    password_hash = hasher.hash_digest(digest) if digest else None
    new = NewPerson(username=name, password_hash=password_hash, **facts)
    user_id = add_user(acting_as(operator), new)
    data = {"userId": user_id, "username": name}
    emit(data, [f"{name} is made, with the id {user_id}."], json_output)


@user.command("show")
@click.argument("name")
@as_json
def show(name: str, json_output: bool) -> None:
    """Show NAME: roles, addresses, second factors, locks, whether a key is set."""
    with get_e2ereset().transactions.read() as session:
        person = get_person(session, name)
        facts = _facts(person, locks(session, person.user_id))
    emit(facts, (f"{key:16} {_text(value)}" for key, value in facts.items()), json_output)


@user.command("list")
@as_json
def list_users(json_output: bool) -> None:
    """List all users."""
    with get_e2ereset().transactions.read() as session:
        locked = all_locks(session)
        people = [_facts(person, locked.get(person.user_id, ())) for person in list_people(session)]
    emit(people, _table(people), json_output)


def _facts(person: Person, locked: Sequence[str]) -> dict[str, Any]:
    """A user in JSON. `keySet` says whether an E2E key pair is stored.

    `locked` has what a hundred failures in a row have locked, such as `verify:totp`.
    """
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
        "locked": list(locked),
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
