"""The command line `e2ereset` of the standalone server."""

from __future__ import annotations

import click
from flask.cli import FlaskGroup

from e2ereset.cli import OneLineErrors

from .app import create_app
from .commands import GROUPS


class CommandLine(OneLineErrors, FlaskGroup):
    """Flask's own command line over our app, with our errors in one line."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of this name; ours wins over that of an installed package."""
        return self.commands.get(name) or super().get_command(ctx, name)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All commands, without the app, whose settings may be what is wrong."""
        return sorted(self.commands)


main = CommandLine(
    name="e2ereset",
    help="Runs and administers an e2ereset server.",
    create_app=create_app,
    add_default_commands=False,
    add_version_option=False,
    load_dotenv=False,
)
click.version_option(package_name="e2ereset", message="%(prog)s %(version)s")(main)
for group in GROUPS:
    main.add_command(group)

if __name__ == "__main__":
    main()
