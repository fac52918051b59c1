"""The group `user`, and how its commands find the account that they are about."""

from __future__ import annotations

import click

from e2ereset import Account, get_e2ereset
from e2ereset.cli import Commands
from e2ereset.server.people import UnknownPerson
from e2ereset.server.sessions import current_sessions


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
