"""The transactions of the library, on the host's engine, and the one statement SQL spells twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    BigInteger,
    Connection,
    CursorResult,
    Engine,
    Executable,
    Table,
    event,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.sql.functions import FunctionElement

from e2ereset.errors import Refusal, SettingsError

from .engines import Binds, Routed

T = TypeVar("T")
RETRIES = 3
WRITES, AFTER = "e2ereset writes", "e2ereset after"
LIMIT_WAITING = text("SET LOCAL lock_timeout = '5s'")
DEADLOCKED = {"40P01", "40001"}  # PostgreSQL's deadlock_detected and serialization_failure
Inserts = Callable[[Table], "sqlite.Insert"]
INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Transactions:
    """Begins and ends the library's own transactions.

    They are separate from the host's session on purpose: a counted attempt has to survive
    whatever the host rolls back.
    """

    def __init__(self, engine: Callable[[], Engine] | Binds) -> None:
        self._binds = engine if isinstance(engine, Binds) else Binds(lambda: {None: engine()})
        self._sessions: dict[Engine, sessionmaker[Session]] = {}
        self._waits_for_ever: dict[Engine, bool] = {}

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction that commits at the end of the block and rolls back on any exception."""
        with self._session(info={WRITES: True}) as session:
            with session.begin():
                yield session
            for call in session.info.get(AFTER, ()):
                call()

    @contextmanager
    def begin_keeping_refusals(self) -> Iterator[Session]:
        """Like `begin`, but a Refusal commits too: a decision is no fault, its traces stay."""
        refused: Refusal | None = None
        with self.begin() as session:
            try:
                yield session
            except Refusal as refusal:
                refused = refusal
        if refused is not None:
            raise refused

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; nothing in it is ever committed."""
        with self._session() as session:
            yield session

    def retry_deadlocks(self, transaction: Callable[[], T]) -> T:
        """What the transaction gives; it is done anew when it was ended to break a deadlock."""
        for _ in range(RETRIES):
            try:
                return transaction()
            except OperationalError as fault:
                if getattr(fault.orig, "sqlstate", None) not in DEADLOCKED:
                    raise
        return transaction()

    @property
    def engine(self) -> Engine:
        """The engine of our tables. On a host's one connection, one whose transactions share it."""
        return self._binds.ours

    @property
    def lasting(self) -> bool:
        """Whether what is committed outlives the host's rollback; not so in tests of some kinds."""
        return self._binds.lasting

    def _session(self, **options: Any) -> Session:
        engine = self._binds.ours
        if engine not in self._sessions:
            if engine.dialect.name not in INSERTS:
                raise SettingsError(
                    f"e2ereset runs on {' and '.join(INSERTS)}, not on {engine.dialect.name}."
                )
            sessions = sessionmaker(engine, expire_on_commit=False, autoflush=False)
            if self._binds.several:
                sessions = sessionmaker(
                    class_=Routed, routes=self._binds, expire_on_commit=False, autoflush=False
                )
            event.listen(sessions, "after_begin", self._limit_waiting)
            self._sessions[engine] = sessions
        return self._sessions[engine](**options)

    def _limit_waiting(self, session: Session, _transaction: Any, connection: Connection) -> None:
        """Have PostgreSQL end what waits for a lock, where the host sets no limit itself.

        A host that has changed a row in the same request, and changes it again by our session,
        would wait for itself for ever: no deadlock that PostgreSQL sees.
        """
        if connection.dialect.name != "postgresql" or WRITES not in session.info:
            return
        engine = connection.engine
        if engine not in self._waits_for_ever:
            limit = connection.scalar(text("SHOW lock_timeout"))
            self._waits_for_ever[engine] = limit == "0"
        if self._waits_for_ever[engine]:
            connection.execute(LIMIT_WAITING)


class Builds(Protocol):
    """Builds one statement from a dialect's own `insert(table)`."""

    def __call__(self, insert: Inserts) -> Executable:
        """The statement for that dialect."""


class PerDialect:
    """A statement with ON CONFLICT, built once for each database that we run on.

    Use it as a decorator on the function that builds it from `insert`.
    """

    def __init__(self, build: Builds) -> None:
        self._statements = {name: counted(build(insert)) for name, insert in INSERTS.items()}

    def __call__(self, session: Session | Connection, parameters: Any) -> CursorResult[Any]:
        """Run it in an open transaction."""
        connection = session if isinstance(session, Connection) else session.connection()
        return connection.execute(self._statements[connection.dialect.name], parameters)


EPOCH: dict[str, Any] = {
    "sqlite": text("SELECT (julianday('now') - 2440587.5) * 86400.0"),
    "postgresql": text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)"),
}


class DatabaseEpoch(FunctionElement[int]):
    """The whole epoch seconds of the database's own clock, as an expression in a statement."""

    type = BigInteger()
    inherit_cache = True


@compiles(DatabaseEpoch, "sqlite")
def _epoch_of_sqlite(*_: Any, **__: Any) -> str:
    return "CAST(strftime('%s', 'now') AS INTEGER)"


@compiles(DatabaseEpoch, "postgresql")
def _epoch_of_postgresql(*_: Any, **__: Any) -> str:
    # Not the time of the transaction or the statement: who waited for a lock must not count as
    # having come before the one who held it.
    return "CAST(floor(extract(epoch FROM clock_timestamp())) AS BIGINT)"


def time_of(connection: Connection) -> float:
    """What the database's own clock says, in epoch seconds."""
    return float(connection.execute(EPOCH[connection.dialect.name]).scalar_one())


def after_commit(session: Session, call: Callable[[], object]) -> None:
    """Have this called once the session's transaction, one of `begin`, is committed."""
    session.info.setdefault(AFTER, []).append(call)


def disable_timeouts(session: Session) -> None:
    """Let this transaction take its time, where PostgreSQL is set to end what does."""
    if session.connection().dialect.name == "postgresql":
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            run(session, text(f"SET LOCAL {name} = 0"))


def counted(insert: Executable) -> Executable:
    """The INSERT with a row count that holds on every database; otherwise it is -1 on some."""
    return insert.execution_options(preserve_rowcount=True)


def run(
    session: Session | Connection, statement: Executable, parameters: Any = None
) -> CursorResult[Any]:
    """Execute a Core statement, past the session's ORM machinery, which costs as much again."""
    connection = session if isinstance(session, Connection) else session.connection()
    return connection.execute(statement, parameters)
