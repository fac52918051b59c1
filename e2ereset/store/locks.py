"""Locks that need no row: of accounts, whose tables are the host's."""

import hashlib

from sqlalchemy import BigInteger, bindparam, func, select
from sqlalchemy.orm import Session

from .gate import begin_writing
from .statements import Statement, driver_of

LOCK = Statement(select(func.pg_advisory_xact_lock(bindparam("key", type_=BigInteger))))


def lock_all(session: Session) -> bool:
    """On SQLite, lock the whole database until the end of the transaction; False elsewhere.

    There only one connection writes at a time, and nothing smaller can be locked.
    """
    driver = driver_of(session)
    if driver.is_sqlite:
        begin_writing(driver.connection, driver.raw)
    return driver.is_sqlite


def lock_name(session: Session, purpose: str, name: str) -> None:
    """Lock this name until the end of the transaction; on SQLite, with all the rest."""
    if lock_all(session):
        return
    digest = hashlib.sha256(f"e2ereset {purpose}\n{name}".encode()).digest()
    LOCK(session, {"key": int.from_bytes(digest[:8], signed=True)})
