"""Tests that are undone at their end, instead of a database for each."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine


@contextmanager
def rolled_back(app: Flask) -> Iterator[None]:
    """Undo, at the end of the block, whatever the app writes in it: the host's rows and ours.

    On SQLite and PostgreSQL, in one thread, for an app with Flask-SQLAlchemy; tests of another one
    give `E2EReset(engine=...)` the connection that they roll back. What is committed in the block
    is seen by all that comes after it. A rollback of the host's own undoes all that came before it
    in the block.
    """
    with app.app_context():
        engines: dict[str | None, Any] = app.extensions["sqlalchemy"].engines
    with ExitStack() as stack:
        stack.callback(engines.update, dict(engines))
        for key, engine in list(engines.items()):
            engines[key] = stack.enter_context(_uncommitted(engine))
        yield


@contextmanager
def _uncommitted(engine: Engine) -> Iterator[Connection]:
    """One connection, for all in the block, that commits nothing."""
    dialect = vars(engine.dialect)

    def begin_anew(connection: Any) -> None:
        connection.rollback()
        _begin(connection)

    with engine.connect() as connection:
        _begin(connection.connection)
        dialect.update(do_commit=lambda _connection: None, do_rollback=begin_anew)
        connection.begin()
        try:
            yield connection
        finally:
            connection.rollback()
            del dialect["do_commit"], dialect["do_rollback"]


def _begin(connection: Any) -> None:
    # SQLite's driver begins with the first write only: the savepoints of ours would be commits.
    if connection.dbapi_connection.__class__.__module__ == "sqlite3":
        connection.cursor().execute("BEGIN")
