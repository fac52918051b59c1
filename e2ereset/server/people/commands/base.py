"""The group `user`, and what its commands have in common."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import current_app

from e2ereset import Runtime
from e2ereset.audit import Operator
from e2ereset.cli.base import Commands, Output, prints, with_reason
from e2ereset.server.people.acts import Acting
from e2ereset.server.people.new_passwords import EXTENSION, NewPasswords

user = Commands("user", help="The users of this server.")


def on_account(
    name: str, *, reason_required: bool = False
) -> Callable[[Callable[..., Output]], Callable[..., Output]]:
    """Make a function the command `name` of `user`: it acts on one account.

    The command takes the NAME of a user, `--reason`, `--json` and the function's own options; the
    function gets an `OnAccount` and its own options.
    """

    def decorate(act: Callable[..., Output]) -> Callable[..., Output]:
        """Add the command."""

        @prints(user.command(name))
        @click.argument("name")
        @with_reason(required=reason_required)
        @wraps(act)
        def command(runtime: Runtime, name: str, operator: Operator, **options: Any) -> Output:
            return act(Acting(runtime=runtime, by=operator).on(name), **options)

        return act

    return decorate


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
