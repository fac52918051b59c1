"""The server's own commands: its users, their second factors and their tokens."""

from __future__ import annotations

from flask import Flask

from e2ereset import cli
from e2ereset.server.demo import demo
from e2ereset.server.doctor import doctor

from . import accounts, factors, imports, tokens, users  # noqa: F401 - they fill `user`
from .base import user
from .database import database

GROUPS = (database, user, *cli.GROUPS, demo, doctor)  # this doctor knows more than the library's


def register(app: Flask) -> None:
    """Have our groups, and the library's, at the top level of the app's command line."""
    app.cli.commands.pop("e2ereset", None)
    for group in GROUPS:
        app.cli.add_command(group)
