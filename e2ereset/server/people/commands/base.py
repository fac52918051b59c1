"""The group `user`, and what its commands have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import click
from flask import current_app

from e2ereset import get_e2ereset
from e2ereset.audit import Operator
from e2ereset.cli import Commands, as_json, emit, with_reason
from e2ereset.server.people.acts import Acting
from e2ereset.server.people.new_passwords import EXTENSION, NewPasswords

Output = tuple[Any, Iterable[str]]
"""What a command prints: with --json the first, else the lines."""


@click.group("user", cls=Commands)
def user() -> None:
    """The users of this server."""


def on_account(
    name: str, *, reason_required: bool = False
) -> Callable[[Callable[..., Output]], Callable[..., Output]]:
    """Make a function the command `name` of `user`: it acts on one account.

    The command takes the NAME of a user, `--reason`, `--json` and the function's own options; the
    function gets an `OnAccount` and its own options.
    """

    def decorate(act: Callable[..., Output]) -> Callable[..., Output]:
        """Add the command."""

        @user.command(name)
        @click.argument("name")
        @with_reason(required=reason_required)
        @as_json
        @wraps(act)
        def command(name: str, *, operator: Operator, json_output: bool, **options: Any) -> None:
            emit(*act(acting_as(operator).on(name), **options), json_output)

        command.params.sort(key=lambda option: option.name in ("operator", "json_output"))
        return act

    return decorate


def acting_as(operator: Operator) -> Acting:
    """This operator at work in the current app."""
    return Acting(runtime=get_e2ereset(), operator=operator)


def read_new_password(*, from_stdin: bool) -> str:
    """The hash of a password, from standard input or asked for twice. Raises WeakPassword."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise click.ClickException("There is no password on standard input.")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    passwords: NewPasswords = current_app.extensions[EXTENSION]
    return passwords.hash(password)


def state(on: bool, changed: bool) -> str:
    """`on` or `off`, and whether it was so already."""
    return ("on" if on else "off") + ("" if changed else " already")
