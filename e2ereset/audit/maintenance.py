"""What an operator does to the sealed log: purge it, sign it again, mend it."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, delete, func, insert, select, update
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError
from e2ereset.store.transactions import Transactions, disable_timeouts, run

from . import heads
from .heads import HEAD, PURGE, AuditBroken, is_signed, locked_end
from .rows import AUDIT, MENDED, is_genuine, rows_from
from .sealer import Sealer
from .trail import AuditTrail, Operator

SIGNED_TABLES = (PURGE, HEAD)
log = logging.getLogger(__name__)


class NothingToMend(E2EResetError):
    """The end of the log is as it was left."""


def purge(
    transactions: Transactions, keyring: KeyRing, *, before: int, now: int, batch: int = 1000
) -> Iterator[int]:
    """Drop the rows older than `before`, and their heads; yields rows dropped by each commit.

    It drops up to the newest head whose rows all are older, in batches, and may be killed between
    any two: the next call goes on. That head stays, so that the rest stays verifiable. `before`
    and `now` are in epoch seconds. Raises AuditBroken when the end of the log, or that head, is
    not as it was left.
    """
    with transactions.begin() as session, locked_end(session, keyring, now) as is_whole:
        disable_timeouts(session)  # where the rows to keep begin is looked for in all of them
        size = heads.find_start(session, keyring).size
        head = session.execute(_purgeable(size, before)).first()
        if head is not None:
            if not is_whole or not is_signed(keyring, HEAD, head):
                raise AuditBroken
            size = head.size
            session.execute(insert(PURGE), heads.sign(keyring, PURGE, {"size": size, "at": now}))
        dropped = _drop(session, size, batch)
    while dropped:
        yield dropped
        with transactions.begin() as session:
            dropped = _drop(session, size, batch)


def _purgeable(start: int, before: int) -> Any:
    """Selects the newest head all of whose rows are old; `start` is that of the last purge."""
    kept = func.min(AUDIT.c.position).filter(AUDIT.c.at >= before)
    end = select(func.coalesce(kept, heads.LARGEST.scalar_subquery())).scalar_subquery()
    # The head's own time is signed: a row whose time was changed cannot have later rows purged.
    return heads.NEWEST.where(HEAD.c.size > start, HEAD.c.size <= end, HEAD.c.at < before)


def _drop(session: Session, size: int, batch: int) -> int:
    """Drop the first heads and rows below `size`; how many rows."""
    # A head covers a row at least, so no head is left when no row is.
    for key, place in ((HEAD.c.size, HEAD.c.size), (AUDIT.c.id, AUDIT.c.position)):
        first = select(key).where(place < size).order_by(place).limit(batch)
        dropped = run(session, delete(key.table).where(key.in_(first))).rowcount
    return dropped


def count_old(session: Session, keyring: KeyRing) -> int:
    """How many heads, and records of purges, do not name the newest secret key as theirs."""
    old = (select(func.count()).select_from(t).where(_is_old(t, keyring)) for t in SIGNED_TABLES)
    return sum(session.execute(statement).scalar_one() for statement in old)


def sign_again(
    transactions: Transactions,
    keyring: KeyRing,
    batch: int = 100,
    *,
    clock: Callable[[], float] = time.time,
) -> Iterator[int]:
    """Seal what waits, then sign anew what older secret keys signed; yields how many per commit.

    Rows keep their digests, which are in the leaves of the tree: once the key of a row is gone, the
    signed head over it vouches for it. It may be stopped between any two batches: the next call
    goes on. What does not verify is left as it is and logged as a warning; `count_old` goes on
    counting it. Raises AuditBroken.
    """
    Sealer(transactions, keyring, clock=clock).seal()
    for table in SIGNED_TABLES:
        after, old = -1, select(table).where(_is_old(table, keyring)).order_by(table.c.size)
        while True:
            with transactions.begin() as session, locked_end(session, keyring, int(clock())):
                rows = session.execute(old.where(table.c.size > after).limit(batch)).all()
                signed = sum(_sign_again(session, keyring, table, row) for row in rows)
            if not rows:
                break
            yield signed
            after = rows[-1].size


def _is_old(table: Table, keyring: KeyRing) -> ColumnElement[bool]:
    return table.c.digest.not_like(f"{keyring.newest}:%")


def _sign_again(session: Session, keyring: KeyRing, table: Table, row: Row[Any]) -> bool:
    if not is_signed(keyring, table, row):
        log.warning("Left, as its signature does not verify: %s %s", table.name, row.size)
        return False
    record = dict(row._mapping)
    if table is HEAD:
        record["since"] = _vouched_since(session, keyring, row)
    again = update(table).where(table.c.size == row.size)
    return run(session, again.values(heads.sign(keyring, table, record))).rowcount > 0


def _vouched_since(session: Session, keyring: KeyRing, head: Row[Any]) -> int:
    """Where the rows begin that the head vouches for, and may now if its sealer lacked a key."""
    if head.since < head.size:
        return int(head.since)
    before = session.execute(heads.LARGEST.where(HEAD.c.size < head.size)).scalar_one()
    is_whole = all(is_genuine(keyring, row) for row in rows_from(session, before, head.size))
    return int(before if is_whole else head.size)


def mend(
    transactions: Transactions, keyring: KeyRing, trail: AuditTrail, *, now: int, by: Operator
) -> str:
    """Make the newest signed head the end of the log again; says what that took, in words.

    Rows behind it wait to be sealed again, heads behind it are dropped, and a row of the action
    `audit-mended` says so for good: first keep the evidence elsewhere. `now` is in epoch seconds.
    Raises NothingToMend.
    """
    with transactions.begin() as session, locked_end(session, keyring, now):
        with suppress(AuditBroken):
            heads.find_end(session, keyring)
            raise NothingToMend("The end of the audit log is whole: there is nothing to mend.")
        size = heads.newest_signed(session, keyring, HEAD)
        dropped = run(session, delete(HEAD).where(HEAD.c.size > size)).rowcount
        run(session, delete(PURGE).where(PURGE.c.size > size))
        unplace = update(AUDIT).where(AUDIT.c.position >= size).values(position=None)
        rows = run(session, unplace).rowcount
        heads.set_mark(session, keyring)
        done = f"went on after row {size}: dropped {dropped} heads, placed {rows} rows again"
        trail.write(session, MENDED, by, at=now, outcome=done)
    return done
