"""`user add|import|show|list`: the users of this server."""

from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import click

from e2ereset import Runtime
from e2ereset.audit import Operator
from e2ereset.cli.base import (
    Output,
    facts,
    prints,
    stored_words,
    table,
    with_dry_run,
    with_reason,
)
from e2ereset.cli.rows import read_json_lines
from e2ereset.factors.budgets import all_locks, locks
from e2ereset.records import iso
from e2ereset.server.people.acts import Acting
from e2ereset.server.people.administration import add_user
from e2ereset.server.people.imports import Imported, import_users, read_csv
from e2ereset.server.people.service import NewPerson, Person, get_person, list_people

from .base import read_new_password, user

READERS = {"jsonl": read_json_lines, "csv": read_csv}
COLUMNS = ("username", "userId", "active", "roles", "totp", "email2fa", "password", "keySet")


@prints(user.command("add"))
@click.argument("name")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="May be repeated.")
@click.option("--verified", is_flag=True, help="The addresses are verified.")
@click.option(
    "--role", "roles", multiple=True, default=["user"], show_default=True, help="May be repeated."
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@with_reason()
def add(
    runtime: Runtime, name: str, *, password_stdin: bool, operator: Operator, **facts: Any
) -> Output:
    """Make the user NAME; without a password, tokens are the only way in."""
    stored = read_new_password(from_stdin=True) if password_stdin else None
    new = NewPerson(username=name, password_hash=stored, **facts)
    with runtime.transactions.begin() as session:
        user_id = add_user(session, Acting(runtime=runtime, by=operator), new)
    return {"userId": user_id, "username": name}, [f"{name} is made, with the id {user_id}."]


@prints(user.command("import"))
@click.argument("file", type=click.File(encoding="utf-8-sig", errors="replace"))
@click.option(
    "--format",
    "kind",
    type=click.Choice(tuple(READERS)),
    help="Default: csv for a FILE that is named so, else jsonl.",
)
@with_dry_run()
@with_reason()
def import_command(
    runtime: Runtime, *, file: TextIO, kind: str | None, dry_run: bool, operator: Operator
) -> Output:
    """Store the users of FILE, a JSON object in each line or CSV; exits with 1 if any is left out.

    Users that exist are left as they are, so it can be run again.
    """
    acting = Acting(runtime=runtime, by=operator)
    kind = kind or ("csv" if file.name.lower().endswith(".csv") else "jsonl")
    done = import_users(acting, READERS[kind](file), dry_run=dry_run)
    data: dict[str, Any] = {
        "dryRun": dry_run,
        "stored": done.stored,
        "present": done.present,
        "leftOut": done.left_out,
    }
    return data, _lines(done, dry_run=dry_run), int(bool(done.left_out))


@prints(user.command("show"))
@click.argument("name")
def show(runtime: Runtime, name: str) -> Output:
    """Show NAME: roles, addresses, second factors, locks, whether a key is set."""
    with runtime.transactions.read() as session:
        person = get_person(session, name)
        data = _facts(person, locks(session, person.user.id))
    emails = [f"{e['address']}{'' if e['verified'] else ' (not verified)'}" for e in data["emails"]]
    return data, facts(data | {"emails": emails})


@prints(user.command("list"))
def list_users(runtime: Runtime) -> Output:
    """List all users."""
    with runtime.transactions.read() as session:
        locked = all_locks(session)
        people = [_facts(person, locked.get(person.user.id, ())) for person in list_people(session)]
    return people, table(people, {name: name for name in COLUMNS})


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


def _lines(done: Imported, *, dry_run: bool) -> Iterator[str]:
    for left in done.left_out:
        name = left["username"] or "without a name"
        yield f"Line {left['line']}, {name}: left out. {left['why']}"
    stored = f"{done.stored} {stored_words(dry_run)}"
    yield f"{stored}, {done.present} there already, {len(done.left_out)} left out."
