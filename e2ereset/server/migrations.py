"""Whether the database is migrated, told without Alembic, which no worker loads (9 MiB)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from e2ereset.operations.health import Condition

from .database import migrations_folder

REVISION = re.compile(r'^(revision|down_revision)\b[^=]*= *"(\w+)"', re.MULTILINE)
PRESENT = text("SELECT version_num FROM alembic_version")


@cache
def heads() -> frozenset[str]:
    """The migrations that no other one follows."""
    files = Path(migrations_folder(), "versions").glob("*.py")
    found = [pair for file in files for pair in REVISION.findall(file.read_text("utf-8"))]
    followed = {name for kind, name in found if kind == "down_revision"}
    return frozenset(name for _, name in found if name not in followed)


def find_revisions(connection: Connection) -> set[str]:
    """The migrations that the database is at; none where it was never migrated."""
    begun = inspect(connection).has_table("alembic_version")
    return set(connection.scalars(PRESENT)) if begun else set()


def check_migrations(connection: Connection) -> Condition:
    """Whether the newest migration has run."""
    done = set(connection.scalars(PRESENT))
    words = "All have run." if done == heads() else "Run `e2ereset db upgrade`."
    return Condition("migrations", done == heads(), words)
