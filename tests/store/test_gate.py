"""The queue of those who write to one SQLite file."""

import fcntl
import os
import runpy
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, text

from e2ereset.errors import SettingsError
from e2ereset.store import gate
from tests.kit.network import wait_for


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "db.sqlite3")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE orders (who)")
    return path


@pytest.fixture
def engine(path):
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 60})
    yield engine
    engine.dispose()


@pytest.fixture
def other(path):
    """Who writes without a look at the queue, such as the host itself."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        yield other


def write(engine, who):
    with engine.connect() as connection:
        gate.begin_writing(connection, connection.connection.dbapi_connection)
        connection.execute(text("INSERT INTO orders VALUES (:who)"), {"who": who})
        connection.commit()


def is_asked_for(path):
    """Whether somebody is the first in the queue."""
    with open(path + gate.SUFFIX, "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_who_came_first_writes_first(engine, path, other):
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(write, engine, "first")
        wait_for(lambda: is_asked_for(path), "the first writer")
        other.execute("ROLLBACK")
        second = pool.submit(write, engine, "second")
        first.result(), second.result()
    assert other.execute("SELECT who FROM orders").fetchall() == [("first",), ("second",)]


@pytest.mark.parametrize("waited", [0, 5])
def test_nobody_waits_longer_than_the_database_says(engine, other, monkeypatch, waited):
    monkeypatch.setattr(gate, "LONG", -1 if waited else gate.LONG)
    times = SimpleNamespace(monotonic=iter([0, waited]).__next__)
    monkeypatch.setattr(gate, "time", times)
    other.execute("BEGIN IMMEDIATE")
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        driver.execute(f"PRAGMA busy_timeout = {waited * 1000 or 1}")
        asked = []
        driver.set_trace_callback(asked.append)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            gate.begin_writing(connection, driver)
        ((patience,),) = driver.execute("PRAGMA busy_timeout")
    assert patience == (waited * 1000 or 1)
    assert ("PRAGMA busy_timeout = 0" in asked) == bool(waited)


def test_a_connection_that_commits_by_itself_is_refused(engine):
    """Its `commit` does nothing: it would hold the write lock for ever. Python 3.12 has it."""
    driver = SimpleNamespace(in_transaction=False, autocommit=True)
    with engine.connect() as connection, pytest.raises(SettingsError, match="needs transactions"):
        gate.begin_writing(connection, driver)


@pytest.mark.parametrize("function", ["os.open", "fcntl.flock"])
def test_where_no_file_can_be_made_or_locked_the_order_of_sqlite_holds(
    engine, monkeypatch, function
):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(f"e2ereset.store.gate.{function}", refuse)
    write(engine, "ann")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT who FROM orders")) == "ann"


def test_windows_has_no_such_locks(engine, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    begin = runpy.run_path(gate.__file__)["begin_writing"]
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        begin(connection, driver)
        assert driver.in_transaction


def test_a_process_forked_meanwhile_holds_nobody_up(engine, path):
    with gate._turn(path):
        # What a forked process has: the same open file under another number.
        [file] = {n for n in os.listdir("/proc/self/fd") if is_queue(f"/proc/self/fd/{n}", path)}
        copy = os.dup(int(file))
    try:
        assert not is_asked_for(path)
    finally:
        os.close(copy)


def is_queue(link, path):
    return os.path.exists(link) and os.path.samefile(link, path + gate.SUFFIX)


def test_the_queue_belongs_to_whom_the_database_belongs(engine, path, monkeypatch):
    given = []
    monkeypatch.setattr(gate.os, "fchown", lambda _file, *whose: given.append(whose))
    os.chmod(path, 0o600)
    write(engine, "ann")
    write(engine, "bob")
    owner, queue = os.stat(path), os.stat(path + gate.SUFFIX)
    assert given == [(owner.st_uid, owner.st_gid)]
    assert queue.st_mode == owner.st_mode
