"""The library's transactions on the host's engine, and statements that differ per database."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, CursorResult, Engine, Executable, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from e2ereset.errors import Refusal, SettingsError

from .engines import Binds, Routed
from .gate import begin_writing
from .statements import DRIVER, INSERTS, Driver, Opened, connection_of, driver_of

T = TypeVar("T")
Begin = Callable[[], AbstractContextManager[Session]]
"""Begins a transaction, as `Transactions.begin` does."""
RETRIES = 3
AFTER = "e2ereset after"
HEARD = Session().dispatch
"""Whoever listens to all sessions."""
LIMIT_WAITING = text("SET LOCAL lock_timeout = '5s'")
DEADLOCKED = {"40P01", "40001"}  # PostgreSQL's deadlock_detected and serialization_failure


class Transactions:
    """Begins and ends the library's own transactions.

    They are separate from the host's session, so that a counted try stays when the host rolls back.
    """

    def __init__(self, engine: Callable[[], Engine] | Binds) -> None:
        self._binds = engine if isinstance(engine, Binds) else Binds(lambda: {None: engine()})
        self._waits_for_ever: dict[Engine, bool] = {}

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction that commits at the end of the block and rolls back on any exception."""
        with self.engine.begin() as connection:
            self._limit_waiting(connection)
            # The session's commit is the connection's, of which the session's events tell. With
            # several engines ours commits last, when all others have.
            mode = "conditional_savepoint" if self._binds.several else "control_fully"
            own: dict[str, Any] = {"info": {DRIVER: Driver(connection)}}
            session = self._session(connection, join_transaction_mode=mode, **own)
            if HEARD.after_begin:
                session.connection()  # what a listener of the host sets holds for us too
            if self._binds.several:
                sa.event.listen(session, "after_begin", self._limit_waiting_there)
            try:
                yield session
                if session.dispatch.after_commit:
                    session.connection()  # else it commits nothing, and the connection does so next
                if session.in_transaction():  # as when a port has used it
                    session.commit()
            finally:
                if session.in_transaction():
                    session.close()
        for call in session.info.get(AFTER, ()):
            call()

    @contextmanager
    def begin_many(self, *, dry: bool) -> Iterator[Begin]:
        """What begins the transaction of each of many rows: `begin`, or in a dry run a part of one.

        That one is undone at the end. Until then a part sees what those before it did, but for
        those that raised; on SQLite nobody else can write.
        """
        if not dry:
            yield self.begin
            return
        with suppress(_Undone), self.begin() as session:
            driver = driver_of(session)
            if driver.is_sqlite:  # a savepoint outside of a transaction would be one, and commit
                begin_writing(driver.connection, driver.raw)
            yield partial(_part, session)
            raise _Undone

    @contextmanager
    def begin_keeping_refusals(self) -> Iterator[Session]:
        """Like `begin`, but commits on a Refusal too, so that its audit row and counts stay."""
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
        """A session for reading in one transaction; it never commits."""
        with self._session(self.engine) as session:
            yield session

    @contextmanager
    def look_up(self) -> Iterator[Session]:
        """A session for short reads; on PostgreSQL each is a transaction of its own."""
        # A SET LOCAL of the host needs a transaction.
        engine = self.engine if HEARD.after_begin else self._binds.alone
        with self._session(engine) as session:
            yield session

    @contextmanager
    def single(self) -> Iterator[Driver]:
        """For one statement, which is committed at the end of the block."""
        with self._binds.alone.connect() as connection:
            yield Driver(connection)
            connection.commit()

    def retry_deadlocks(self, transaction: Callable[[], T]) -> T:
        """Call the transaction, again if the database ended it to break a deadlock; its result."""
        for _ in range(RETRIES):
            try:
                return transaction()
            except OperationalError as fault:
                if getattr(fault.orig, "sqlstate", None) not in DEADLOCKED:
                    raise
        return transaction()

    @property
    def engine(self) -> Engine:
        """The engine of our tables. If the host has one connection, our transactions share it.

        Raises SettingsError for a database that is not supported.
        """
        engine = self._binds.ours
        if engine.dialect.name not in INSERTS:
            raise SettingsError(
                f"e2ereset runs on {' and '.join(INSERTS)}, not on {engine.dialect.name}."
            )
        return engine

    @property
    def lasting(self) -> bool:
        """Whether our commits survive the host's rollback; not so on a host's one connection."""
        return self._binds.lasting

    def _session(self, bind: Engine | Connection, **options: Any) -> Session:
        options |= {"expire_on_commit": False, "autoflush": False}
        if not self._binds.several:
            return Session(bind, **options)
        return Routed(ours=bind, routes=self._binds, **options)

    def _limit_waiting_there(self, _session: Session, _own: Any, connection: Connection) -> None:
        self._limit_waiting(connection)

    def _limit_waiting(self, connection: Connection) -> None:
        """Limit the wait for a lock on PostgreSQL, unless the host sets a limit itself.

        A host that changes a row in its own session, and again in ours, would wait for itself for
        ever. PostgreSQL does not see that as a deadlock.
        """
        if connection.dialect.name != "postgresql":
            return
        engine = connection.engine
        if engine not in self._waits_for_ever:
            limit = connection.scalar(text("SHOW lock_timeout"))
            self._waits_for_ever[engine] = limit == "0"
        if self._waits_for_ever[engine]:
            connection.execute(LIMIT_WAITING)


class _Undone(Exception):
    """Undoes a dry run."""


@contextmanager
def _part(session: Session) -> Iterator[Session]:
    with session.begin_nested():
        session.connection()  # only now there is a savepoint
        yield session


EPOCH: dict[str, Any] = {
    "sqlite": text("SELECT (julianday('now') - 2440587.5) * 86400.0"),
    "postgresql": text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)"),
}


class DatabaseEpoch(FunctionElement[int]):
    """The whole epoch seconds of the database's own clock, as an expression in a statement."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(DatabaseEpoch, "sqlite")
def _epoch_of_sqlite(*_: Any, **__: Any) -> str:
    return "CAST(strftime('%s', 'now') AS INTEGER)"


@compiles(DatabaseEpoch, "postgresql")
def _epoch_of_postgresql(*_: Any, **__: Any) -> str:
    # Not the start of the transaction or the statement: a statement that waited for a lock must not
    # get an earlier time than the one that held the lock.
    return "CAST(floor(extract(epoch FROM clock_timestamp())) AS BIGINT)"


def time_of(connection: Connection) -> float:
    """The time of the database's clock, in epoch seconds."""
    return float(connection.execute(EPOCH[connection.dialect.name]).scalar_one())


def after_commit(session: Session, call: Callable[[], object]) -> None:
    """Call this after the commit of the session's transaction, which `begin` has begun."""
    session.info.setdefault(AFTER, []).append(call)


def disable_timeouts(session: Session) -> None:
    """Switch PostgreSQL's timeouts off for this transaction, as it may take long."""
    if session.connection().dialect.name == "postgresql":
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            run(session, text(f"SET LOCAL {name} = 0"))


def run(session: Opened, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
    """Execute a Core statement without the ORM, which would double its cost."""
    return connection_of(session).execute(statement, parameters)
