"""Signed heads: the root of the tree over the first `size` rows; purges; the mark of the newest.

The digests of heads and purges are keyed and cover all their columns. The mark stands in the
sealer's row and is a keyed digest of the digests of the newest head and the newest purge: an older
head, still whole and signed, can not pass for the newest one after the end of the log was cut off,
heads and all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, func, select
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError
from e2ereset.store.tables import table

from .models import AuditHead, AuditPurge, AuditSealer
from .rows import AUDIT, big, holds
from .tree import Tree

HEAD = table(AuditHead)
PURGE = table(AuditPurge)
SEALER = table(AuditSealer)
NEWEST = select(HEAD).order_by(HEAD.c.size.desc()).limit(1)
HEAD_OF = select(HEAD).where(HEAD.c.size == big("size"))
PURGES = select(PURGE).order_by(PURGE.c.size.desc())
SIGNED = {HEAD: ("size", "root", "frontier", "since", "at"), PURGE: ("size", "at")}
LARGEST = select(func.coalesce(func.max(HEAD.c.size), 0)).scalar_subquery()
# One statement, because a sealer may be at work: rows and their head become visible together.
BEYOND = select(func.count(), func.min(AUDIT.c.position)).where(AUDIT.c.position >= LARGEST)
# One statement: a sealer changes the mark and the newest head together.
END = select(
    select(SEALER.c.mark).limit(1).scalar_subquery().label("mark"),
    NEWEST.with_only_columns(HEAD.c.digest).scalar_subquery().label("head"),
    PURGES.with_only_columns(PURGE.c.digest).limit(1).scalar_subquery().label("purge"),
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
    """Where the log starts: its first row's position, and the tree of the rows before, if known.

    The tree is that of the signed head which the newest purge kept. Where that head is gone, the
    tree is empty and its size is not `size`.
    """

    size: int
    tree: Tree


def make_head(keys: KeyRing, tree: Tree, *, since: int, at: int) -> dict[str, Any]:
    """The columns of a signed head of the tree; `at` in epoch seconds."""
    frontier = json.dumps([node.hex() for node in tree.frontier])
    head = {"size": tree.size, "root": tree.root().hex(), "frontier": frontier}
    head |= {"since": since, "at": at}
    return head | {"digest": sign(keys, HEAD, head)}


def make_purge(keys: KeyRing, size: int, at: int) -> dict[str, Any]:
    """The columns of the signed record that rows before `size` were dropped; epoch seconds."""
    record = {"size": size, "at": at}
    return record | {"digest": sign(keys, PURGE, record)}


def sign(keys: KeyRing, table: Table, record: Mapping[Any, Any]) -> str:
    """Our digest of all that a head or a purge says."""
    return keys.digest(f"audit {table.name}", *(str(record[name]) for name in SIGNED[table]))


def is_signed(keys: KeyRing, table: Table, row: Row[Any]) -> bool:
    """True when a head or a purge carries our digest of all that it says."""
    return holds(keys, row.digest, f"audit {table.name}", *(row._mapping[n] for n in SIGNED[table]))


def tree_of(head: Row[Any]) -> Tree:
    """The tree that goes on behind this head, which must be signed."""
    return Tree(head.size, [bytes.fromhex(node) for node in json.loads(head.frontier)])


def find_start(session: Session, keys: KeyRing) -> Start:
    """Where the newest signed purge lets the log start."""
    purges = session.execute(PURGES).all()
    size = next((purge.size for purge in purges if is_signed(keys, PURGE, purge)), 0)
    head = session.execute(HEAD_OF, {"size": size}).first()
    return Start(size, tree_of(head) if head and is_signed(keys, HEAD, head) else Tree())


def make_mark(keys: KeyRing, head: str | None, purge: str | None) -> str:
    """The mark of the newest head and the newest purge, by their digests; empty for neither."""
    return keys.digest("audit mark", head or "", purge or "") if head or purge else ""


def is_marked(keys: KeyRing, end: Row[*tuple[Any, ...]]) -> bool:
    """True when the mark is that of the end that stands. Nothing goes with an empty mark."""
    if end.head is None and end.purge is None:
        return not end.mark
    return holds(keys, end.mark, "audit mark", end.head or "", end.purge or "")


def find_newest(session: Session, keys: KeyRing) -> Row[Any] | None:
    """The newest head; None for a log without any.

    Raises AuditBroken when it is not signed with one of our keys, or rows stand behind it.
    """
    head = session.execute(NEWEST).first()
    rows_beyond, _ = session.execute(BEYOND).one()
    if rows_beyond or (head is not None and not is_signed(keys, HEAD, head)):
        raise AuditBroken
    return head


def find_end(session: Session, keys: KeyRing) -> Row[Any] | None:
    """The newest head, which is the one that was signed last; None for a log without any.

    Raises AuditBroken where it is not, and where the sealer would.
    """
    head = find_newest(session, keys)
    if not is_marked(keys, session.execute(END).one()):
        raise AuditBroken
    return head
