"""The host's engines: which one serves our tables, which one each of the host's.

A host may hold several engines (binds), put its tables into a schema, or have one connection for
all that happens: a database in memory, or a test that is undone at its end. On one connection our
transactions are savepoints within whatever transaction of the host is open.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlalchemy import Connection, Engine, Table, create_engine, inspect
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, Pool, SingletonThreadPool, StaticPool
from sqlalchemy.sql import visitors

from e2ereset.errors import SettingsError

from .tables import Base

Engines = Mapping[str | None, Engine | Connection]
SAVEPOINT = "e2ereset"
ISOLATION = "READ COMMITTED"
"""Of our transactions on PostgreSQL, whatever its default is.

Each statement of ours that counts or burns holds by itself. Under a stricter level PostgreSQL
would end those that meet, with 40001, and a guesser could have the owner's tries end.
"""


class Binds:
    """The engines of one host. `engines` is asked anew each time: a test may put a connection in.

    `key` is the bind of our own tables, `schema` the schema that they are in.
    """

    def __init__(
        self, engines: Callable[[], Engines], *, key: str | None = None, schema: str | None = None
    ) -> None:
        self._engines = engines
        self._key = key
        self._schema = schema
        self._made: dict[Engine | Connection, Engine] = {}

    @property
    def ours(self) -> Engine:
        """The engine of our own tables."""
        return self._adapted(self._engines()[self._key])

    @property
    def several(self) -> bool:
        """Whether the host has more than one engine."""
        return len(self._engines()) > 1

    @property
    def lasting(self) -> bool:
        """Whether what is committed there outlives the host's rollback."""
        return not is_shared(self._engines()[self._key])

    def of(self, table: Table | None) -> Engine:
        """The engine of a table; that of the host's default for statements that name none."""
        if table is not None and table.metadata is Base.metadata:
            return self.ours
        engines = self._engines()
        key = None if table is None else table.metadata.info.get("bind_key")
        return self.ours if key not in engines and key is None else self._adapted(engines[key])

    def _adapted(self, given: Engine | Connection) -> Engine:
        if given not in self._made:
            shared = is_shared(given)
            engine = borrow(given) if shared else cast(Engine, given)
            # Not where the host's transaction is open already, which keeps its level.
            level = None if shared else _level(engine)
            if level:
                engine = engine.execution_options(isolation_level=level)
            if self._schema is not None:
                # All statements of ours name their tables without one.
                engine = engine.execution_options(schema_translate_map={None: self._schema})
            self._made[given] = engine
        return self._made[given]


class Routed(Session):
    """A session of ours in a host with several engines: each table is asked for in its own."""

    def __init__(self, *, routes: Binds, **options: Any) -> None:
        super().__init__(**options)
        self._binds = routes

    def get_bind(
        self, mapper: Any = None, *, clause: Any = None, bind: Any = None, **_options: Any
    ) -> Engine | Connection:
        """The engine of what is asked for."""
        if bind is not None:
            return cast(Engine, bind)
        source = clause if mapper is None else inspect(mapper).local_table
        if source is None:
            return self._binds.ours
        named = (part for part in visitors.iterate(source) if isinstance(part, Table))
        return self._binds.of(next(named, None))


def schema_of(engine: Engine) -> str | None:
    """The schema that an engine of ours finds our tables in; None for the database's own choice."""
    translated: Mapping[None, str] = engine.get_execution_options().get("schema_translate_map", {})
    return translated.get(None)


def is_shared(given: Engine | Connection) -> bool:
    """Whether all transactions there are on one connection, the host's own among them."""
    if isinstance(given, Connection):
        return True
    one_for_all = isinstance(given.pool, StaticPool | SingletonThreadPool)
    return one_for_all and given.dialect.name == "sqlite"


def _level(engine: Engine) -> str | None:
    """The isolation that our transactions ask for; None for the engine's own.

    A host may commit each of its statements; a reset is whole, or not at all. Raises SettingsError
    where that is set in a way that no connection of ours can leave.
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
    """An engine on the host's one connection, whose transactions are savepoints there."""
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
        driver = given.connection.driver_connection
        if isinstance(driver, sqlite3.Connection) and given.in_transaction():
            _begin_late(driver)
        return driver
    pool: Pool = given.pool
    if isinstance(pool, StaticPool):
        # Not checked out, as giving it back would roll the host's transaction back.
        return pool.connection.driver_connection
    fairy = pool.connect()
    try:
        return fairy.driver_connection
    finally:
        fairy.close()


def _begin_late(driver: sqlite3.Connection) -> None:
    # The driver begins with the first write, however early the host began: a savepoint without
    # a transaction around it would be committed by its release.
    if not driver.in_transaction:
        driver.execute("BEGIN")


class Savepoints:
    """What a dialect does to begin and to end transactions, done by savepoints."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def begin(self, connection: Any) -> None:
        """Begin one; on SQLite it is the transaction itself where the host has none open."""
        _execute(connection, f"SAVEPOINT {SAVEPOINT}")
        self._open.add(id(connection))

    def commit(self, connection: Any) -> None:
        """Keep what was written; the host's transaction, where there is one, goes on."""
        self._end(connection, f"RELEASE SAVEPOINT {SAVEPOINT}")

    def rollback(self, connection: Any) -> None:
        """Undo what was written since `begin`, and nothing of the host's."""
        undo = (f"ROLLBACK TO SAVEPOINT {SAVEPOINT}", f"RELEASE SAVEPOINT {SAVEPOINT}")
        self._end(connection, *undo)

    def leave(self, connection: Any) -> None:
        """Leave the connection open: it is the host's."""

    def _end(self, connection: Any, *statements: str) -> None:
        if id(connection) in self._open:  # SQLAlchemy rolls back more than it began
            self._open.remove(id(connection))
            for statement in statements:
                _execute(connection, statement)


def _execute(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()
