"""`user add|show|list`: the users of this server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from e2ereset import get_e2ereset
from e2ereset.audit import Operator
from e2ereset.cli import as_json, emit, with_reason
from e2ereset.factors.budgets import all_locks, locks
from e2ereset.records import iso
from e2ereset.server.people.administration import add_user
from e2ereset.server.people.service import NewPerson, Person, get_person, list_people

from .base import acting_as, read_new_password, user

COLUMNS = ("username", "userId", "active", "roles", "totp", "email2fa", "password", "keySet")


@user.command("add")
@click.argument("name")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="May be repeated.")
@click.option("--verified", is_flag=True, help="The addresses are verified.")
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
    stored = read_new_password(from_stdin=True) if password_stdin else None
    new, acting = NewPerson(username=name, password_hash=stored, **facts), acting_as(operator)
    with acting.runtime.transactions.begin() as session:
        user_id = add_user(session, acting, new)
    data = {"userId": user_id, "username": name}
    emit(data, [f"{name} is made, with the id {user_id}."], json_output)


@user.command("show")
@click.argument("name")
@as_json
def show(name: str, json_output: bool) -> None:
    """Show NAME: roles, addresses, second factors, locks, whether a key is set."""
    with get_e2ereset().transactions.read() as session:
        person = get_person(session, name)
        facts = _facts(person, locks(session, person.user.id))
    emit(facts, (f"{key:16} {_text(value)}" for key, value in facts.items()), json_output)


@user.command("list")
@as_json
def list_users(json_output: bool) -> None:
    """List all users."""
    with get_e2ereset().transactions.read() as session:
        locked = all_locks(session)
        people = [_facts(person, locked.get(person.user.id, ())) for person in list_people(session)]
    rows = [COLUMNS, *([_text(person[key]) for key in COLUMNS] for person in people)]
    emit(people, ("  ".join(f"{text:17}" for text in row).rstrip() for row in rows), json_output)


def _facts(person: Person, locked: Sequence[str]) -> dict[str, Any]:
    """A user in JSON. `keySet` says whether an E2E key pair is stored.

    `locked` has what a hundred failures in a row have locked, such as `verify:totp`.
    """
    user = person.user
    return {
        "userId": user.id,
        "username": user.username,
        "active": user.active,
        "kind": user.kind,
        "roles": person.roles,
        "emails": person.emails,
        "password": user.password_hash is not None,
        "totp": person.totp,
        "email2fa": person.email_2fa,
        "backupCodesLeft": person.backup_codes_left,
        "locked": list(locked),
        "keySet": person.has_key,
        "createdAt": iso(user.created_at),
    }


def _text(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case {"address": address, "verified": verified}:
            return f"{address}{'' if verified else ' (not verified)'}"
        case list():
            return ", ".join(map(_text, value)) or "-"
        case _:
            return str(value)
