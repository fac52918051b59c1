"""`db upgrade|current`: the migrations, for operators: nothing here drops tables or writes files.

A developer has the rest by `flask --app wsgi migrations`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import ScriptInfo

from e2ereset.cli.base import OneLineErrors, as_json, emit

from .instance_folder import make_default_folder
from .migrations import add_migrations, find_revisions, heads
from .tables import db

database = OneLineErrors("db", help="The tables of the server's database.")


@database.command("upgrade")
@as_json
@click.pass_context
def upgrade(ctx: click.Context, /, *, json_output: bool) -> None:
    """Migrate the database to this version; a new one gets all tables."""
    make_default_folder()
    with _migrating(ctx):
        from flask_migrate import upgrade

        before = _present()
        upgrade()
        data = {"before": before, "revision": _present()}
    emit(data, [_words(data["revision"])], json_output)


@database.command("current")
@as_json
@click.pass_context
def current(ctx: click.Context, /, *, json_output: bool) -> None:
    """Say which migration the database is at; exits with 1 when it is not the newest."""
    with _migrating(ctx):
        present = _present()
    newest = sorted(heads())
    behind = present != newest
    words = f" The newest is {', '.join(newest)}: run `e2ereset db upgrade`." if behind else ""
    data = {"revision": present, "newest": newest, "upToDate": not behind}
    emit(data, [_words(present) + words], json_output)
    ctx.exit(1 if behind else 0)


@contextmanager
def _migrating(ctx: click.Context) -> Iterator[None]:
    """Within the app, which is loaded with its migrations."""
    with add_migrations(ctx.ensure_object(ScriptInfo).load_app()).app_context():
        yield


def _present() -> list[str]:
    with db.engine.connect() as connection:
        return sorted(find_revisions(connection))


def _words(revisions: list[str]) -> str:
    return f"The database is at migration {', '.join(revisions) or 'none'}."
