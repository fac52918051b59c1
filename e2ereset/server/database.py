"""The server's database: how SQLite is tuned, and where the migrations lie."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import Connection
from typing import Any

from sqlalchemy import Engine, event

import e2ereset

PRAGMAS = (
    "busy_timeout = 10000",  # milliseconds; the first, so that the next ones wait as well
    "journal_mode = WAL",
    "synchronous = FULL",  # a committed reset outlives a power cut
    "foreign_keys = ON",
)


def tune(engine: Engine) -> None:
    """Have every connection of this engine run with our pragmas; only SQLite needs any."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)


def _set_pragmas(connection: Connection, _record: Any) -> None:
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def migrations_folder() -> str:
    """The folder of the migrations: within the installed package, beside it in a checkout."""
    package = Path(e2ereset.__file__).parent
    installed = package / "migrations"
    return str(installed if installed.is_dir() else package.parent / "migrations")
