"""Statements that are compiled once, and sent through the driver's cursor.

A reset is a dozen short statements. SQLAlchemy would spend more time on finding each of them in its
cache, and on wrapping its result, than the database spends on executing it.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler

from .gate import begin_writing

Inserts = Callable[[sa.Table], "sqlite.Insert"]
INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
DRIVER = "e2ereset driver"
"""The key in `Session.info` of the `Driver` that the session works on."""
LISTENERS = attrgetter(
    "echo",
    "dispatch.before_execute",
    "dispatch.after_execute",
    "dispatch.before_cursor_execute",
    "dispatch.after_cursor_execute",
    "dialect.dispatch.do_execute",
)


def is_watched(connection: Connection) -> bool:
    """Whether statements on this connection must go through SQLAlchemy."""
    options = connection.get_execution_options()
    return "schema_translate_map" in options or any(LISTENERS(connection.engine))


class Driver:
    """The driver's connection below one of SQLAlchemy's, from its checkout to its return.

    It finds out once what holds for all statements in between. `is_watched`: they go through
    SQLAlchemy. `is_begun`: a transaction is begun for reads too, as the host listens for its begin.
    """

    __slots__ = ("connection", "is_begun", "is_sqlite", "is_watched", "kind", "raw")

    def __init__(self, connection: Connection) -> None:
        dialect = connection.dialect
        self.connection = connection
        self.kind = (type(dialect), dialect.paramstyle)
        self.is_sqlite = dialect.name == "sqlite"
        self.is_watched = is_watched(connection)
        self.is_begun = bool(connection.dispatch.begin)
        self.raw: Any = connection.connection.dbapi_connection


Opened = Session | Connection | Driver
"""An open transaction."""


class Builds(Protocol):
    """Builds one statement from a dialect's own `insert(table)`."""

    def __call__(self, insert: Inserts) -> Executable:
        """The statement for that dialect."""


class Rows(list[Any]):
    """The rows of a result, as named tuples; `rowcount` is how many rows were changed."""

    def __init__(self, rows: Iterable[Any], rowcount: int) -> None:
        super().__init__(rows)
        self.rowcount = rowcount

    def first(self) -> Any:
        """The first row; None when there is none."""
        return self[0] if self else None

    def scalar(self) -> Any:
        """The first value of the first row; None when there is none."""
        return self[0][0] if self else None


class Statement:
    """A statement, to be called with an open transaction and its parameters.

    `build` is the statement, or a function that builds it from the dialect's `insert`, as one with
    ON CONFLICT needs. A statement is made once, with its module. No parameter of it is a list. An
    INSERT that names no values takes the columns of its first call.

    If the engine has a listener for statements, as tracing has, or echoes them, or gives our tables
    a schema, then the statement is executed in SQLAlchemy's own way.
    """

    def __init__(self, build: Executable | Builds) -> None:
        self._build = build
        self._compiled: dict[tuple[type[Dialect], str], _Compiled] = {}

    def __call__(self, session: Opened, parameters: Mapping[str, Any]) -> Rows:
        """Execute it, and fetch all rows. Raises the same errors as SQLAlchemy."""
        driver = driver_of(session)
        compiled = self._compiled.get(driver.kind)
        if compiled is None:
            made = self._compile(driver.connection.dialect, parameters)
            compiled = self._compiled[driver.kind] = made
        if parameters.keys() != compiled.names:  # an INSERT would drop the values of others
            raise TypeError(f"{sorted(parameters)} given, but {sorted(compiled.names)} before")
        return compiled.execute(driver, parameters)

    def _compile(self, dialect: Dialect, names: Iterable[str]) -> "_Compiled":
        made = self._build
        if not isinstance(made, Executable):
            made = made(INSERTS[dialect.name])
        return _Compiled(made, dialect, names)


class _Compiled:
    """A statement in the SQL of one dialect. Its columns are texts, numbers and booleans."""

    def __init__(self, statement: Any, dialect: Dialect, names: Iterable[str]) -> None:
        # Without this the row count of an INSERT is -1 on some databases.
        self._statement = statement.execution_options(preserve_rowcount=True)
        compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=list(names))
        self._sql = str(compiled)
        # SQLite knows no SELECT ... FOR UPDATE: there it takes the lock of a writer.
        locks = getattr(statement, "_for_update_arg", None) is not None
        self._writes = locks or compiled.isinsert or compiled.isupdate or compiled.isdelete
        self._positions = compiled.positiontup
        self._values = dict(compiled.params)
        self.names = set(names)
        columns = getattr(statement, "exported_columns", ())
        # SQLite gives them as numbers.
        self._booleans = {i for i, c in enumerate(columns) if isinstance(c.type, sa.Boolean)}
        self._row: Callable[[Iterable[Any]], Any] | None = None

    def execute(self, driver: Driver, parameters: Mapping[str, Any]) -> Rows:
        """Execute it on the driver's cursor, or as SQLAlchemy does where somebody listens."""
        connection, values, cursor = driver.connection, self._given(parameters), None
        if (self._writes or driver.is_begun) and not connection.in_transaction():
            connection.begin()
        try:
            if self._writes and driver.is_sqlite:
                begin_writing(connection, driver.raw)
            if driver.is_watched:
                result = connection.execute(self._statement, dict(parameters))
                return Rows(result.all() if result.returns_rows else (), result.rowcount)
            cursor = driver.raw.cursor()
            cursor.execute(self._sql, values)
            rows = Rows(self._read(cursor), cursor.rowcount)
        except connection.dialect.loaded_dbapi.Error as fault:
            # It has no public name. It makes SQLAlchemy's error of the driver's, calls who listens
            # for errors, and drops a connection that is broken.
            connection._handle_dbapi_exception(fault, self._sql, values, cursor, None)
        cursor.close()
        return rows

    def _given(self, parameters: Mapping[str, Any]) -> Any:
        values = {**self._values, **parameters}
        return values if self._positions is None else [values[name] for name in self._positions]

    def _read(self, cursor: Any) -> Iterable[Any]:
        if cursor.description is None:
            return ()
        if self._row is None:
            names = [column[0] for column in cursor.description]
            self._row = namedtuple("Row", names, rename=True)._make  # type: ignore[attr-defined]
        return map(self._row, map(self._typed, cursor) if self._booleans else cursor)

    def _typed(self, row: Sequence[Any]) -> list[Any]:
        wrong = self._booleans
        return [bool(v) if i in wrong and v is not None else v for i, v in enumerate(row)]


def driver_of(session: Opened) -> Driver:
    """The driver of this session, in its transaction."""
    if isinstance(session, Driver):
        return session
    if isinstance(session, Connection):
        return Driver(session)
    found: Driver | None = session.info.get(DRIVER)
    if found is None or found.connection.closed:  # as after a rollback
        found = session.info[DRIVER] = Driver(session.connection())
    return found


def connection_of(session: Opened) -> Connection:
    """The connection of this session, in its transaction."""
    return session if isinstance(session, Connection) else driver_of(session).connection
