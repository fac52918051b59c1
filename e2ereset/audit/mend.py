"""The way on after the end of the log was broken, once the evidence is safe elsewhere."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError
from e2ereset.store.transactions import Transactions, run

from .heads import END, HEAD, PURGE, AuditBroken, find_end, is_signed, make_mark
from .rows import AUDIT, MENDED, big, lenient
from .sealer import LOCK_SEALER, SET_MARK
from .trail import AuditTrail, Operator

HEADS_DOWN = select(HEAD).order_by(HEAD.c.size.desc())
UNPLACE = update(AUDIT).where(AUDIT.c.position >= big("size")).values(position=None)
DROP_HEADS = delete(HEAD).where(HEAD.c.size > big("size"))
DROP_PURGES = delete(PURGE).where(PURGE.c.size > big("size"))


class NothingToMend(E2EResetError):
    """The end of the log is as it was left."""


def mend(
    transactions: Transactions,
    keys: KeyRing,
    trail: AuditTrail,
    *,
    now: int,
    by: Operator,
) -> str:
    """Make the newest signed head the end of the log again; says what that took, in words.

    Rows behind it wait to be sealed again, heads behind it are dropped, and a row of the action
    `audit-mended` says so for good. `now` is in epoch seconds. Raises NothingToMend.
    """
    with transactions.begin() as session, lenient(session):
        LOCK_SEALER(session, {"now": now})
        if _is_whole(session, keys):
            raise NothingToMend("The end of the audit log is whole: there is nothing to mend.")
        size = _last_signed(session, keys)
        heads = run(session, DROP_HEADS, {"size": size}).rowcount
        rows = run(session, UNPLACE, {"size": size}).rowcount
        run(session, DROP_PURGES, {"size": size})
        end = session.execute(END).one()
        run(session, SET_MARK, {"new_mark": make_mark(keys, end.head, end.purge)})
        done = f"went on after row {size}: dropped {heads} heads, placed {rows} rows again"
        trail.write(session, MENDED, by, at=now, outcome=done)
    return done


def _is_whole(session: Session, keys: KeyRing) -> bool:
    try:
        find_end(session, keys)
    except AuditBroken:
        return False
    return True


def _last_signed(session: Session, keys: KeyRing) -> int:
    """The size of the newest head that is signed; 0 when none is."""
    with session.execute(HEADS_DOWN).yield_per(100) as heads:
        return next((head.size for head in heads if is_signed(keys, HEAD, head)), 0)
