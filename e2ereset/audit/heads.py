"""The end of the log: signed heads, records of purges, and the mark of the newest of them.

A head is the root of the tree over the first `size` rows. Heads and purges carry a keyed digest of
all their columns. The mark, in the sealer's row, is a keyed digest of the digests of the newest
head and the newest purge: an older head, still whole and signed, cannot pass for the newest one
after the end of the log was cut off, heads and all.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, bindparam, func, select, update
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError
from e2ereset.store.statements import Inserts, Statement
from e2ereset.store.tables import table

from .models import AuditHead, AuditPurge, AuditSealer
from .rows import AUDIT, HIGHEST, holds, lenient, paged
from .tree import Tree

HEAD, PURGE, SEALER = table(AuditHead), table(AuditPurge), table(AuditSealer)
SIGNED = {HEAD: ("size", "root", "frontier", "since", "at"), PURGE: ("size", "at")}
NEWEST = select(HEAD).order_by(HEAD.c.size.desc()).limit(1)
PURGES = select(PURGE).order_by(PURGE.c.size.desc())
LARGEST = select(func.coalesce(func.max(HEAD.c.size), 0))
# One statement, because a sealer may be at work: rows and their head become visible together.
BEYOND = select(func.count(), func.min(AUDIT.c.position)).where(
    AUDIT.c.position >= LARGEST.scalar_subquery()
)
# One statement: a sealer changes the mark and the newest head together.
END = select(
    select(SEALER.c.mark).limit(1).scalar_subquery().label("mark"),
    NEWEST.with_only_columns(HEAD.c.digest).scalar_subquery().label("head"),
    PURGES.with_only_columns(PURGE.c.digest).limit(1).scalar_subquery().label("purge"),
)
MARK = "audit mark"


@Statement
def LOCK_SEALER(insert: Inserts) -> Any:
    """Lock the one row of the sealer, making it where it is missing."""
    added = insert(SEALER).values(id=1, sealed_at=bindparam("now"), mark="")
    return added.on_conflict_do_update(
        index_elements=[SEALER.c.id], set_={"sealed_at": added.excluded.sealed_at}
    )


class AuditBroken(E2EResetError):
    """The end of the audit log is not as it was left, so nothing is built on top of it."""

    def __init__(self) -> None:
        super().__init__(
            "The end of the audit log is not as it was left: it was changed, or"
            " E2ERESET_SECRET_KEYS lost the key of its last head. This is not done on top of it."
            " `e2ereset audit verify` says more, `e2ereset audit mend` goes on after it."
        )


@dataclass(frozen=True, slots=True)
class Start:
    """A position from which rows are read, and the tree of the rows before it.

    The tree is that of a signed head. Where that head is gone, it is empty, and of another size.
    """

    size: int
    tree: Tree


def sign(keyring: KeyRing, table: Table, record: Mapping[Any, Any]) -> dict[str, Any]:
    """A head or a purge with our digest of all that it says."""
    parts = (str(record[name]) for name in SIGNED[table])
    return {**record, "digest": keyring.digest(f"audit {table.name}", *parts)}


def is_signed(keyring: KeyRing, table: Table, row: Row[Any]) -> bool:
    """True when a head or a purge carries our digest of all that it says."""
    return holds(
        keyring, row.digest, f"audit {table.name}", *(row._mapping[n] for n in SIGNED[table])
    )


def tree_of(head: Row[Any]) -> Tree:
    """The tree that goes on behind this head, which must be signed."""
    return Tree(head.size, [bytes.fromhex(node) for node in json.loads(head.frontier)])


def heads_from(session: Session, start: int, end: int = HIGHEST) -> Iterator[Row[Any]]:
    """The heads whose size is from `start` to `end`, both included, smallest first."""
    return paged(session, select(HEAD).where(HEAD.c.size <= end), (HEAD.c.size,), (start - 1,))


def newest_signed(session: Session, keyring: KeyRing, table: Table) -> int:
    """The size of the newest head, or purge, that is signed; 0 when none is."""
    newest = select(table).order_by(table.c.size.desc())
    with session.execute(newest).yield_per(100) as found:
        return next((row.size for row in found if is_signed(keyring, table, row)), 0)


def find_start(session: Session, keyring: KeyRing) -> Start:
    """Where the newest signed purge lets the log start."""
    size = newest_signed(session, keyring, PURGE)
    head = session.execute(select(HEAD).where(HEAD.c.size == size)).first()
    return Start(size, tree_of(head) if head and is_signed(keyring, HEAD, head) else Tree())


def find_start_before(session: Session, keyring: KeyRing, position: int) -> Start:
    """The last signed head that is not behind the position, or where the log starts."""
    start = find_start(session, keyring)
    head = session.execute(NEWEST.where(HEAD.c.size <= position)).first()
    if head and head.size > start.size and is_signed(keyring, HEAD, head):
        return Start(head.size, tree_of(head))
    return start


def find_newest(session: Session, keyring: KeyRing) -> Row[Any] | None:
    """The newest head; None for a log without any.

    Raises AuditBroken when it is not signed with one of our keyring, or rows stand behind it.
    """
    head = session.execute(NEWEST).first()
    rows_beyond, _ = session.execute(BEYOND).one()
    if rows_beyond or (head is not None and not is_signed(keyring, HEAD, head)):
        raise AuditBroken
    return head


def find_end(session: Session, keyring: KeyRing) -> Row[Any] | None:
    """The newest head, which is the one that was signed last; None for a log without any.

    Raises AuditBroken where it is not, and where the sealer would.
    """
    head = find_newest(session, keyring)
    if not is_marked(session, keyring):
        raise AuditBroken
    return head


def is_marked(session: Session, keyring: KeyRing) -> bool:
    """True when the mark is that of the end that stands. Nothing goes with an empty mark."""
    end = session.execute(END).one()
    if end.head is None and end.purge is None:
        return not end.mark
    return holds(keyring, end.mark, MARK, end.head or "", end.purge or "")


def set_mark(session: Session, keyring: KeyRing) -> None:
    """Make the end that stands the one that was signed last."""
    end = session.execute(END).one()
    mark = keyring.digest(MARK, end.head or "", end.purge or "") if end.head or end.purge else ""
    session.execute(update(SEALER).values(mark=mark))


@contextmanager
def locked_end(session: Session, keyring: KeyRing, now: int) -> Iterator[bool]:
    """Within the block nobody else changes heads or purges; behind it, the mark is set anew.

    Gives True when the mark was right. A wrong one is left as it is: it is the evidence that a
    head was taken away. `now` is in epoch seconds.
    """
    LOCK_SEALER(session, {"now": now})
    with lenient(session):
        is_right = is_marked(session, keyring)
        yield is_right
        if is_right:
            set_mark(session, keyring)
