"""The migrations: where they are, and whether they have run; without Alembic, which takes 9 MiB."""

import logging
import re
from functools import cache
from pathlib import Path

from flask import Flask
from sqlalchemy import Connection, inspect, text

from e2ereset.operations.health import Condition

from .tables import db

REVISION = re.compile(r'^(revision|down_revision)\b[^=]*= *"(\w+)"', re.MULTILINE)
PRESENT = text("SELECT version_num FROM alembic_version")


def add_migrations(app: Flask) -> Flask:
    """Give the app what runs migrations, and `migrations` for developers.

    A worker does without. What Alembic logs at INFO says nothing to an operator.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from flask_migrate import Migrate

    Migrate(app, db, directory=str(folder()), command="migrations")
    return app


def folder() -> Path:
    """The folder of the migrations: within the installed package, beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


@cache
def heads() -> frozenset[str]:
    """The migrations that no other one follows."""
    files = (folder() / "versions").glob("*.py")
    found = [pair for file in files for pair in REVISION.findall(file.read_text("utf-8"))]
    followed = {name for kind, name in found if kind == "down_revision"}
    return frozenset(name for _, name in found if name not in followed)


def find_revisions(connection: Connection) -> set[str]:
    """The migrations that the database is at; none where it was never migrated."""
    begun = inspect(connection).has_table("alembic_version")
    return set(connection.scalars(PRESENT)) if begun else set()


def check_migrations(connection: Connection) -> Condition:
    """Whether the newest migration has run."""
    done = set(connection.scalars(PRESENT)) == heads()
    return Condition("migrations", done, "All have run." if done else "Run `e2ereset db upgrade`.")
