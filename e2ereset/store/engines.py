"""The host's engines: finds the engine of our tables, and of each table of the host.

A host may have several engines (binds), put its tables into a schema, or use one connection for
everything, as with a database in memory, or a test that rolls back at its end. On one connection
our transactions are savepoints in the host's open transaction.
"""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, cast

from sqlalchemy import Connection, Engine, Table, create_engine, inspect
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, Pool, SingletonThreadPool, StaticPool
from sqlalchemy.sql import visitors

from e2ereset.errors import SettingsError

from .tables import Base

Engines = Mapping[str | None, Engine | Connection]
SAVEPOINT = "e2ereset"
RELEASE = f"RELEASE SAVEPOINT {SAVEPOINT}"
ISOLATION = "READ COMMITTED"
"""The isolation level of our transactions on PostgreSQL, whatever its default is.

Each of our statements that counts a try or uses up a code is safe by itself. With a stricter level
PostgreSQL would end concurrent ones with 40001, and a guesser could so stop the owner's tries.
"""


class Binds:
    """The engines of one host. `engines` is called each time, as a test may put a connection in.

    `key` is the bind of our tables, `schema` is their schema.
    """

    def __init__(
        self, engines: Callable[[], Engines], *, key: str | None = None, schema: str | None = None
    ) -> None:
        self._engines = engines
        self._key = key
        self._schema = schema
        self._made: dict[tuple[Engine | Connection, bool], Engine] = {}

    @property
    def ours(self) -> Engine:
        """The engine of our own tables."""
        return self._adapted(self._engines()[self._key])

    @property
    def alone(self) -> Engine:
        """The same engine; on PostgreSQL each statement on it is a transaction of its own.

        It saves two commands for each. Besides, psycopg forgets what it has prepared at each
        ROLLBACK, with which a transaction that only reads ends. Not so where the host listens for
        the begin of transactions, as its SET LOCAL needs one, nor where the database has another
        level of isolation, which such a statement would get.
        """
        given = self._engines()[self._key]
        # Known since the first connection.
        of_database = getattr(given.dialect, "default_isolation_level", None)
        alone = of_database == ISOLATION and not given.dispatch.begin
        return self._adapted(given, alone=alone)

    @property
    def several(self) -> bool:
        """Whether the host has more than one engine."""
        return len(self._engines()) > 1

    @property
    def lasting(self) -> bool:
        """Whether commits on our engine survive the host's rollback."""
        return not is_shared(self._engines()[self._key])

    def of(self, table: Table | None) -> Engine:
        """The engine of a table; the host's default engine for None."""
        if table is not None and table.metadata is Base.metadata:
            return self.ours
        engines = self._engines()
        key = None if table is None else table.metadata.info.get("bind_key")
        return self.ours if key not in engines and key is None else self._adapted(engines[key])

    def _adapted(self, given: Engine | Connection, *, alone: bool = False) -> Engine:
        if (given, alone) not in self._made:
            shared = is_shared(given)
            engine = borrow(given) if shared else cast(Engine, given)
            # On a shared connection the host's transaction may be open, and keeps its level.
            level = None if shared else _level(engine)
            if level == ISOLATION and alone:
                level = "AUTOCOMMIT"
            if level:
                engine = engine.execution_options(isolation_level=level)
            if self._schema is not None:
                # Our statements name their tables without a schema.
                engine = engine.execution_options(schema_translate_map={None: self._schema})
            self._made[given, alone] = engine
        return self._made[given, alone]


class Routed(Session):
    """Our session for a host with several engines: each statement goes to its table's engine."""

    def __init__(self, *, ours: Engine | Connection, routes: Binds, **options: Any) -> None:
        super().__init__(**options)
        self._ours = ours
        self._binds = routes

    def get_bind(
        self, mapper: Any = None, *, clause: Any = None, bind: Any = None, **_options: Any
    ) -> Engine | Connection:
        """The engine of this model or statement."""
        if bind is not None:
            return cast(Engine, bind)
        source = clause if mapper is None else inspect(mapper).local_table
        if source is None:
            return self._ours
        named = (part for part in visitors.iterate(source) if isinstance(part, Table))
        engine = self._binds.of(next(named, None))
        return self._ours if engine is self._binds.ours else engine


def schema_of(engine: Engine) -> str | None:
    """The schema of our tables on this engine of ours; None for the database's default."""
    translated: Mapping[None, str] = engine.get_execution_options().get("schema_translate_map", {})
    return translated.get(None)


def is_shared(given: Engine | Connection) -> bool:
    """Whether the host and we share one connection there."""
    if isinstance(given, Connection):
        return True
    one_for_all = isinstance(given.pool, StaticPool | SingletonThreadPool)
    return one_for_all and given.dialect.name == "sqlite"


def _level(engine: Engine) -> str | None:
    """The isolation level for our transactions; None for the engine's own.

    A host may use AUTOCOMMIT, but a reset needs a transaction. Raises SettingsError if AUTOCOMMIT
    is set in a way that our connections cannot override.
    """
    if engine.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        raise SettingsError(
            "The execution_options of the engine ask for AUTOCOMMIT, and e2ereset needs"
            " transactions. Write SQLALCHEMY_ENGINE_OPTIONS = {'isolation_level': 'AUTOCOMMIT'}."
        )
    if engine.dialect.name == "postgresql":
        return ISOLATION
    by_engine = getattr(engine.dialect, "_on_connect_isolation_level", None)
    return "SERIALIZABLE" if by_engine == "AUTOCOMMIT" else None


def borrow(given: Engine | Connection) -> Engine:
    """An engine on the host's one connection. Its transactions are savepoints."""
    engine = given.engine
    made = create_engine(
        engine.url,
        creator=lambda: _driver_connection(given),
        poolclass=NullPool,
        hide_parameters=engine.hide_parameters,
    )
    points = Savepoints()
    vars(made.dialect).update(
        do_begin=points.begin,
        do_commit=points.commit,
        do_rollback=points.rollback,
        do_close=points.leave,
        do_terminate=points.leave,
    )
    return made


def _driver_connection(given: Engine | Connection) -> Any:
    if isinstance(given, Connection):
        driver: Any = given.connection.driver_connection
        begun = given.in_transaction() and isinstance(driver, sqlite3.Connection)
        if begun and not driver.in_transaction:
            # The driver itself begins only at the first write. Without a transaction around it, a
            # savepoint would be committed by its release.
            driver.execute("BEGIN")
        return driver
    pool: Pool = given.pool
    if isinstance(pool, StaticPool):
        # Not checked out of the pool: returning it would roll the host's transaction back.
        return pool.connection.driver_connection
    with closing(pool.connect()) as connection:
        return connection.driver_connection


class Savepoints:
    """The functions by which a dialect begins and ends transactions, made of savepoints."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def begin(self, connection: Any) -> None:
        """Begin a savepoint. On SQLite it is a transaction if the host has none open."""
        _execute(connection, f"SAVEPOINT {SAVEPOINT}")
        self._open.add(id(connection))

    def commit(self, connection: Any) -> None:
        """Keep the changes; an open transaction of the host goes on."""
        self._end(connection, RELEASE)

    def rollback(self, connection: Any) -> None:
        """Undo the changes since `begin`, and none of the host's."""
        self._end(connection, f"ROLLBACK TO SAVEPOINT {SAVEPOINT}", RELEASE)

    def leave(self, connection: Any) -> None:
        """Leave the connection open, as it belongs to the host."""

    def _end(self, connection: Any, *statements: str) -> None:
        if id(connection) in self._open:  # SQLAlchemy rolls back more than it began
            self._open.remove(id(connection))
            for statement in statements:
                _execute(connection, statement)


def _execute(connection: Any, statement: str) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement)
