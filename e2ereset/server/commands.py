"""The server's own commands: its users, their second factors and their tokens."""

from __future__ import annotations

from flask import Flask

from e2ereset import cli

from .checks import doctor
from .database_commands import database
from .demo import demo
from .people.commands import user
from .sessions import commands as tokens  # noqa: F401 - they fill `user`

GROUPS = (database, user, *cli.GROUPS, demo, doctor)  # this doctor knows more than the library's


def register(app: Flask) -> None:
    """Have our groups, and the library's, at the top level of the app's command line."""
    app.cli.commands.pop("e2ereset", None)
    for group in GROUPS:
        app.cli.add_command(group)
