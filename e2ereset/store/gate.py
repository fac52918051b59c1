"""The queue of those who want to write to one SQLite file, of all processes on the machine.

SQLite lets one connection write at a time. Whoever waits asks again after ever longer pauses, so
that a newcomer often writes before those who have waited long. Here only the first in the queue
asks SQLite. The others wait in the kernel for a lock on a file beside the database, in the order in
which they came.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection

from e2ereset.errors import SettingsError

try:
    import fcntl
except ImportError:  # Windows, where SQLite's own order holds
    fcntl = None  # type: ignore[assignment]

SUFFIX = "-queue"
LONG = 1.0
"""Seconds. Who has waited for longer stands behind somebody whom SQLite keeps waiting."""


def begin_writing(connection: Connection, driver: Any) -> None:
    """Begin SQLite's write transaction, unless the driver has a transaction open.

    It waits for SQLite's `busy_timeout` at most, then the driver raises "database is locked".
    Raises SettingsError for a connection whose `commit` does nothing.
    """
    if driver.in_transaction:
        return
    if getattr(driver, "autocommit", False) is True:  # Python 3.12 has it
        raise SettingsError(
            "The engine opens SQLite with autocommit=True, and e2ereset needs transactions. Write"
            " SQLALCHEMY_ENGINE_OPTIONS = {'isolation_level': 'AUTOCOMMIT'}."
        )
    began = time.monotonic()
    with _turn(connection.engine.url.database or ""):
        waited = time.monotonic() - began
        if waited < LONG:
            driver.execute("BEGIN IMMEDIATE")
            return
        ((patience,),) = driver.execute("PRAGMA busy_timeout")
        driver.execute(f"PRAGMA busy_timeout = {max(0, int(patience - waited * 1000))}")
        try:
            driver.execute("BEGIN IMMEDIATE")
        finally:
            driver.execute(f"PRAGMA busy_timeout = {patience}")


@contextmanager
def _turn(path: str) -> Iterator[None]:
    """Wait to be the first in the queue."""
    if fcntl is None or not path or path.startswith((":memory:", "file:")):
        yield
        return
    try:
        file = _open(path)
    except OSError:  # a folder in which only the database can be written: SQLite's own order holds
        yield
        return
    try:
        with suppress(OSError):  # a file system without such locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        with suppress(OSError):  # to close is not enough: a process forked meanwhile has it open
            fcntl.flock(file, fcntl.LOCK_UN)
        os.close(file)


def _open(path: str) -> int:
    """Open the file of the queue. A new one is for those who may write the database."""
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(path + SUFFIX, flags)
    except FileNotFoundError:
        database = os.stat(path)
        file = os.open(path + SUFFIX, flags | os.O_CREAT, database.st_mode & 0o666)
        with suppress(OSError):  # only root can, whose commands may be the first to write
            os.fchown(file, database.st_uid, database.st_gid)
        return file
