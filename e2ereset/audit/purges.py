"""The purge: drops the oldest rows, up to a signed head from which the rest stays verifiable."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.store.transactions import Transactions, disable_timeouts, run

from .heads import (
    END,
    HEAD,
    LARGEST,
    PURGE,
    AuditBroken,
    find_start,
    is_marked,
    is_signed,
    make_mark,
    make_purge,
)
from .rows import AUDIT, big, lenient
from .sealer import LOCK_SEALER, SET_MARK

_first_kept = select(
    func.coalesce(func.min(AUDIT.c.position).filter(AUDIT.c.at >= big("before")), LARGEST)
).scalar_subquery()
# The head's own time is signed: a row whose time was changed can not have later rows purged.
LAST_OLD_HEAD = (
    select(HEAD)
    .where(HEAD.c.size > big("start"), HEAD.c.size <= _first_kept, HEAD.c.at < big("before"))
    .order_by(HEAD.c.size.desc())
    .limit(1)
)
ADD_PURGE = insert(PURGE)
_old_rows = (
    select(AUDIT.c.id)
    .where(AUDIT.c.position < big("size"))
    .order_by(AUDIT.c.position)
    .limit(bindparam("batch"))
)
DROP_ROWS = delete(AUDIT).where(AUDIT.c.id.in_(_old_rows))
_old_heads = (
    select(HEAD.c.size)
    .where(HEAD.c.size < big("size"))
    .order_by(HEAD.c.size)
    .limit(bindparam("batch"))
)
DROP_HEADS = delete(HEAD).where(HEAD.c.size.in_(_old_heads))


def purge(
    transactions: Transactions, keyring: KeyRing, *, before: int, now: int, batch: int = 1000
) -> Iterator[int]:
    """Drop the rows older than `before`, and their heads; yields rows dropped by each commit.

    It drops up to the newest head whose rows all are older, in batches, and may be killed between
    any two: the next call goes on. `before` and `now` are in epoch seconds. Raises AuditBroken
    when the end of the log, or that head, is not as it was left.
    """
    with transactions.begin() as session, lenient(session):
        disable_timeouts(session)  # where the rows to keep begin is looked for in all of them
        size = _start_purge(session, keyring, before, now)
        dropped = _drop(session, size, batch)
    while dropped:
        yield dropped
        with transactions.begin() as session:
            dropped = _drop(session, size, batch)


def _start_purge(session: Session, keys: KeyRing, before: int, now: int) -> int:
    """Leave the signed record of a purge; the size up to which rows go, by this or an older one."""
    LOCK_SEALER(session, {"now": now})
    end = session.execute(END).one()
    start = find_start(session, keys).size
    head = session.execute(LAST_OLD_HEAD, {"before": before, "start": start}).first()
    if head is None:
        return start
    if not is_marked(keys, end) or not is_signed(keys, HEAD, head):
        raise AuditBroken
    record = make_purge(keys, head.size, now)
    session.execute(ADD_PURGE, record)
    session.execute(SET_MARK, {"new_mark": make_mark(keys, end.head, record["digest"])})
    return int(head.size)


def _drop(session: Session, size: int, batch: int) -> int:
    # A head covers a row at least, so no head is left when no row is.
    run(session, DROP_HEADS, {"size": size, "batch": batch})
    return run(session, DROP_ROWS, {"size": size, "batch": batch}).rowcount
