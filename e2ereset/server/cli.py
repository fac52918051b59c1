"""The command line `e2ereset` of the standalone server."""

from __future__ import annotations

from flask import Flask
from flask.cli import FlaskGroup, NoAppException

from e2ereset.cli import OneLineErrors
from e2ereset.errors import E2EResetError

from .app import create_app
from .commands import GROUPS


class CommandLine(OneLineErrors, FlaskGroup):
    """Flask's own command line over our app, with our errors in one line."""


class Unusable(NoAppException):
    """The server's settings refuse to start; `--help` works nevertheless."""

    exit_code = 1


def _load_app() -> Flask:
    try:
        return create_app()
    except E2EResetError as error:
        raise Unusable(str(error)) from None


main = CommandLine(
    name="e2ereset",
    help="Runs and administers an e2ereset server.",
    create_app=_load_app,
    add_default_commands=False,
    load_dotenv=False,
)
for group in GROUPS:
    main.add_command(group)

if __name__ == "__main__":
    main()
