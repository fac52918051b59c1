"""The group `user`, and what its commands have in common."""

from __future__ import annotations

import sys

import click

from e2ereset import Account, get_e2ereset
from e2ereset.cli import Commands
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.people.service import UnknownPerson
from e2ereset.server.people.weak_passwords import check_password
from e2ereset.server.sessions.service import current_sessions


@click.group("user", cls=Commands)
def user() -> None:
    """The users of this server."""


def find_account(name: str) -> Account:
    """The account of this name, whatever its case. Raises UnknownPerson."""
    with get_e2ereset().transactions.read() as session:
        account = current_sessions().accounts.find(session, name)
    if account is None:
        raise UnknownPerson(f"There is no user {name!r}.")
    return account


def read_digest(*, from_stdin: bool) -> str:
    """The digest of a password, from standard input or asked for twice. Raises WeakPassword."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise click.ClickException("There is no password on standard input.")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    check_password(password, current_sessions().settings.shortest_password)
    return PasswordHasher.digest(password)
