"""The command line `e2ereset` of the standalone server."""

import click
from flask.cli import FlaskGroup
from werkzeug.utils import import_string

from e2ereset.cli.base import OneLineErrors
from e2ereset.cli.groups import GROUPS as LIBRARY

from .arrival.commands import arrivals
from .checks import doctor
from .database_commands import database
from .demo import demo
from .grants.commands import grants
from .people.commands import user
from .sessions import commands as tokens  # noqa: F401 - they fill `user`

APP = "e2ereset.server.app:create_app"
# Our doctor and our import know more than those of the library.
GROUPS = (database, user, grants, *LIBRARY, demo, doctor, arrivals)


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
    commands=GROUPS,
    create_app=lambda: import_string(APP)(),  # by name, as the app has these commands
    add_default_commands=False,
    add_version_option=False,
    load_dotenv=False,
)
click.version_option(package_name="e2ereset", message="%(prog)s %(version)s")(main)

if __name__ == "__main__":
    main()
