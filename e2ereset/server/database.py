"""The connections to the server's database."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from sqlite3 import Connection
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Dialect, Engine, ExceptionContext, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

from e2ereset.errors import SettingsError
from e2ereset.files import private

from .tables import db

PRAGMAS = (
    "busy_timeout = 10000",  # milliseconds; first, so that the next pragmas wait too
    "journal_mode = WAL",
    "synchronous = FULL",  # a committed reset outlives a power cut
    "foreign_keys = ON",
)
LIMITS = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",  # less than a client waits; the answer is 503
    "idle_in_transaction_session_timeout": "30s",
}
"""PostgreSQL ends what takes longer: no request holds a thread, or a lock, for long."""
# A limit that the operator has set anywhere (address, service file, PGOPTIONS, ALTER ROLE,
# postgresql.conf) stays. Run after connecting, as PgBouncer refuses `options` at start-up.
SET_LIMITS = (
    "SELECT set_config(name, given.value, false) FROM pg_settings"
    " JOIN unnest(%s::text[], %s::text[]) AS given (name, value) USING (name)"
    " WHERE source = 'default'"
)
SERVED_BY = "SELECT pg_backend_pid()"
REACH = {
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15000,  # milliseconds; a server that vanished is noticed by then
    "application_name": "e2ereset",
}
VARIABLES = {"connect_timeout": "PGCONNECT_TIMEOUT", "application_name": "PGAPPNAME"}
"""The environment variables of libpq for the same."""
POOL_SECONDS = 5
"""How long a request waits for one of the pool's connections."""
OTHER_POOLS = {"poolclass", "pool", "creator"}
"""An engine with one of these options takes no sizes for its pool."""
IDLE_SECONDS = 5.0
"""A connection that was idle for longer gets a ping before it is used."""
READ_ONLY = "25006"
"""PostgreSQL's read_only_sql_transaction."""


def connect(app: Flask, connections: int) -> SQLAlchemy:
    """Have the app use the database of its settings, at most `connections` at once.

    Raises SettingsError.
    """
    given = app.config.get("SQLALCHEMY_ENGINE_OPTIONS") or {}
    if not isinstance(given, Mapping):
        raise SettingsError("SQLALCHEMY_ENGINE_OPTIONS must be a dictionary: {'pool_size': 8}.")
    uri = app.config["SQLALCHEMY_DATABASE_URI"]
    try:
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(uri, connections, given)
        db.init_app(app)
    except (ArgumentError, ModuleNotFoundError):
        # Not their text, which may quote the whole address, password and all.
        raise SettingsError(
            "SQLALCHEMY_DATABASE_URI names no database that is known and installed. Write"
            " 'postgresql+psycopg://user:password@host/name' and install e2ereset[postgres],"
            " or 'sqlite:////path/of/file'."
        ) from None
    except TypeError as unknown:  # names options, not their values
        raise SettingsError(f"SQLALCHEMY_ENGINE_OPTIONS is not taken: {unknown}") from None
    with app.app_context():
        tune(db.engine, given.get("connect_args"))
    return db


def engine_options(
    uri: str, connections: int, given: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """The options of the engine at `uri`, with at most `connections` of them open.

    What is `given` wins, and so do the address and libpq's environment variables.
    """
    url = make_url(uri)
    # An error of the database must not carry a digest or an encrypted text into a log.
    options: dict[str, Any] = {"hide_parameters": True}
    reach: dict[str, Any] = {}
    if url.get_backend_name() == "postgresql":
        reach = _reach(url.query, environ)
        if given.keys().isdisjoint(OTHER_POOLS):
            options |= {"pool_size": connections, "max_overflow": 0, "pool_timeout": POOL_SECONDS}
            # The one that worked last comes first: while no more can be opened, a lost one that is
            # next in turn would fail each request of a client who comes alone.
            options["pool_use_lifo"] = True
    return {**options, **given, "connect_args": {**reach, **(given.get("connect_args") or {})}}


def _reach(query: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Our connection parameters, without those that the operator sets."""
    if "service" in query or environ.get("PGSERVICE"):
        return {}  # the service file may set any of them, and ours would win over it
    return {
        name: value
        for name, value in REACH.items()
        if name not in query and not environ.get(VARIABLES.get(name, ""))
    }


def tune(engine: Engine, connect_args: Mapping[str, Any] | None = None) -> Engine:
    """Give every connection of this engine our pragmas or limits, and ping it after it was idle.

    What the operator set in `connect_args` stays.
    """
    given = {**engine.url.query, **(connect_args or {})}
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _make_file)
        event.listen(engine, "connect", partial(_set_pragmas, "timeout" in given))
    else:
        event.listen(engine, "connect", partial(_set_up, "prepare_threshold" in given))
        event.listen(engine, "checkin", _note_time)
        event.listen(engine, "checkout", partial(_ping_after_idling, engine.dialect))
        event.listen(engine, "handle_error", _leave_standby)
    return engine


def _make_file(_dialect: Any, _record: Any, args: list[Any], _options: Any) -> None:
    """Make a new SQLite file for its owner only; its -wal and -shm take their modes from it."""
    path = str(args[0])
    if not path.startswith((":memory:", "file:")) and path:
        with suppress(OSError), open(path, "x", opener=private):
            pass


def _set_pragmas(waits: bool, connection: Connection, _record: Any) -> None:
    for pragma in PRAGMAS[1 if waits else 0 :]:
        connection.execute(f"PRAGMA {pragma}").close()


def _set_up(prepares: bool, connection: Any, _record: Any) -> None:
    """Set the limits that nobody has set. Behind a pooler, prepare no statements.

    In PgBouncer's transaction mode the next statement may run in another process of PostgreSQL,
    which does not know what was prepared.
    """
    with connection.cursor() as cursor:
        cursor.execute(SET_LIMITS, (list(LIMITS), list(LIMITS.values())))
        cursor.execute(SERVED_BY)
        (process,) = cursor.fetchone()
    connection.commit()
    if not prepares and process != connection.info.backend_pid:
        connection.prepare_threshold = None


def _note_time(_connection: Any, record: Any) -> None:
    record.info["idle_since"] = time.monotonic()


def _ping_after_idling(dialect: Dialect, connection: Any, record: Any, _proxy: Any) -> None:
    # SQLAlchemy's own pre-ping runs each time, and costs as much as a request's first read.
    since = record.info.get("idle_since")
    if since is None or time.monotonic() - since < IDLE_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as gone:
        # The other connections of the pool are lost too.
        raise InvalidatePoolError from gone


def _leave_standby(context: ExceptionContext) -> None:
    # After a failover old connections lead to a standby: new ones reach the new primary.
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True
