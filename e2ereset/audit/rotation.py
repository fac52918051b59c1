"""Rotation: heads and purges that older keys signed are signed again with the newest key.

Rows keep their digests, which are in the leaves of the tree: once the key of a row is gone, the
signed head over it vouches for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Table, bindparam, func, select, update
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.store.transactions import Transactions, run

from .heads import END, HEAD, PURGE, is_marked, is_signed, make_mark, sign
from .pages import rows_from
from .rows import big, is_genuine, lenient
from .sealer import LOCK_SEALER, SET_MARK, Sealer

log = logging.getLogger(__name__)

TABLES = (PURGE, HEAD)
_old = {table: table.c.digest.not_like(bindparam("ours")) for table in TABLES}
COUNT_OLD = {table: select(func.count()).where(_old[table]) for table in TABLES}
OLD = {
    table: select(table)
    .where(_old[table], table.c.size > big("after"))
    .order_by(table.c.size)
    .limit(bindparam("batch"))
    for table in TABLES
}
SIZE_BEFORE = select(func.coalesce(func.max(HEAD.c.size), 0)).where(HEAD.c.size < big("size"))
SIGN_AGAIN = {table: update(table).where(table.c.size == big("of")) for table in TABLES}


def count_old(session: Session, keyring: KeyRing) -> int:
    """How many heads, and records of purges, do not name the newest key as theirs."""
    ours = {"ours": f"{keyring.newest}:%"}
    return sum(session.execute(COUNT_OLD[table], ours).scalar_one() for table in TABLES)


def resign(
    transactions: Transactions,
    keyring: KeyRing,
    batch: int = 100,
    *,
    clock: Callable[[], float] = time.time,
) -> Iterator[int]:
    """Seal what waits, then sign again what older keys signed; yields how many by each commit.

    It may be stopped between any two batches: the next call goes on. What does not verify is left
    as it is and logged as a warning; `count_old` goes on counting it. Raises AuditBroken.
    """
    Sealer(transactions, keyring, clock=clock).seal()
    for table in TABLES:
        after = -1
        while True:
            with transactions.begin() as session, lenient(session):
                LOCK_SEALER(session, {"now": int(clock())})
                bounds = {"ours": f"{keyring.newest}:%", "after": after, "batch": batch}
                rows = session.execute(OLD[table], bounds).all()
                signed = _sign_again(session, keyring, table, rows)
            if not rows:
                break
            yield signed
            after = rows[-1].size


def _sign_again(session: Session, keys: KeyRing, table: Table, rows: Sequence[Row[Any]]) -> int:
    """Sign those of the rows that verify, and the mark with them; their number."""
    whole, signed = is_marked(keys, session.execute(END).one()), 0
    for row in rows:
        if is_signed(keys, table, row):
            record = dict(row._mapping)
            if table is HEAD:
                record["since"] = _vouched_since(session, keys, row)
            record["digest"] = sign(keys, table, record)
            signed += run(session, SIGN_AGAIN[table], {"of": row.size, **record}).rowcount
        else:
            log.warning("Left, as its signature does not verify: %s %s", table.name, row.size)
    if whole and signed:
        end = session.execute(END).one()
        run(session, SET_MARK, {"new_mark": make_mark(keys, end.head, end.purge)})
    return signed


def _vouched_since(session: Session, keys: KeyRing, head: Row[Any]) -> int:
    """Where the rows begin that the head vouches for, and may now if its sealer lacked a key."""
    if head.since < head.size:
        return int(head.since)
    before: int = session.execute(SIZE_BEFORE, {"size": head.size}).scalar_one()
    whole = all(is_genuine(keys, row) for row in rows_from(session, before, head.size))
    return before if whole else int(head.size)
