"""The check of the whole log: every row's digest, the order of rows, every head, the very end.

It reads rows and heads in pages, so that it needs little memory and holds up no writer. It gives
no false alarm while rows are written, sealed and purged beside it: what was sealed after it began
is left to the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing

from . import findings as say
from .findings import Finding
from .heads import (
    BEYOND,
    END,
    HEAD,
    PURGE,
    PURGES,
    Start,
    find_start,
    is_marked,
    is_signed,
    tree_of,
)
from .pages import HIGHEST, LOWEST, PAGE, heads_from, paged, rows_from
from .rows import AUDIT, COLUMNS, MENDED, big, entry_bytes, is_genuine, lenient, names_key
from .tree import leaf_hash

# Below HIGHEST, because SQLite sorts a text, slipped in as a size, above every number.
LAST = select(func.coalesce(func.max(HEAD.c.size), 0)).where(HEAD.c.size < HIGHEST)
STRAY_HEADS = select(HEAD).where(HEAD.c.size > big("end")).limit(PAGE)
UNSEALED = (
    select(*COLUMNS)
    .where(AUDIT.c.position.is_(None), AUDIT.c.id > big("after_id"))
    .order_by(AUDIT.c.id)
    .limit(PAGE)
)
TWICE = select(AUDIT.c.uid, func.count()).group_by(AUDIT.c.uid).having(func.count() > 1)


def verify(session: Session, keys: KeyRing) -> list[Finding]:
    """All that is wrong with the log; none of the findings is `wrong` when it is whole.

    After a purge it begins at the head that the purge kept. Rows that no sealer has placed yet
    are checked by their own digests only. Whatever the tables hold, it is found and not stumbled
    over.
    """
    return settled(session, keys, lambda start: _findings(session, keys, start))


def settled(
    session: Session, keys: KeyRing, check: Callable[[Start], Iterable[Finding]]
) -> list[Finding]:
    """What the check finds from the start of the log on, with no purge meanwhile."""
    with lenient(session):
        start = find_start(session, keys)
        while True:
            found = list(check(start))
            before, start = start, find_start(session, keys)
            if start.size == before.size:
                return found


def _findings(session: Session, keys: KeyRing, start: Start) -> Iterator[Finding]:
    end = session.execute(LAST).scalar_one()
    yield from _purges(session, keys)
    yield from _left_by_purge(session, keys, start)
    yield from _Walk(keys, start, end).findings(session)
    yield from _beyond(session)
    yield from _stray_heads(session, keys, end)
    yield from _unsealed(session, keys)
    yield from (say.twice(uid, count) for uid, count in session.execute(TWICE))
    if not is_marked(keys, session.execute(END).one()):
        yield say.end_cut(session.execute(LAST).scalar_one())


class _Walk:
    """The walk along rows and heads, in the order of the tree, up to the head of size `end`."""

    def __init__(self, keys: KeyRing, start: Start, end: int) -> None:
        self._keys = keys
        self._start = start
        self._end = end
        self._tree = start.tree.copy()
        self._next = start.size
        self._unknown: list[int] = []

    def findings(self, session: Session) -> Iterator[Finding]:
        """What is wrong with sealed rows and their heads."""
        if self._tree.size != self._start.size:
            yield say.anchor_lost(self._start.size)
        first = self._start.size or LOWEST + 1
        # Of equals, merge takes the first: the head of size n goes before the row at position n.
        steps = merge(
            ((head.size, self._head, head) for head in heads_from(session, first, self._end)),
            ((row.position, self._row, row) for row in rows_from(session, first, self._end)),
            key=itemgetter(0),
        )
        for _, judge, item in steps:
            yield from judge(item)
        yield from self._not_vouched_for()
        if self._next < self._end:
            yield say.missing("tail-cut", self._next, self._end)

    def _row(self, row: Row[Any]) -> Iterator[Finding]:
        if row.position < self._next or not isinstance(row.position, int):
            yield say.slipped_in(row)
            return
        if row.position > self._next:
            yield say.missing("row-removed", self._next, row.position)
        if not is_genuine(self._keys, row):
            if names_key(self._keys, row):
                yield _row_changed(row.position)
            else:
                self._unknown.append(row.position)
        if row.action == MENDED:
            yield say.mended(row)
        self._tree.append(leaf_hash(entry_bytes(row)))
        self._next = row.position + 1

    def _head(self, head: Row[Any]) -> Iterator[Finding]:
        if not is_signed(self._keys, HEAD, head):
            yield say.head_changed(head)
            return
        # Trees of two sizes can not agree: the rows that lack were reported already.
        same_size = self._tree.size == head.size
        same = same_size and self._tree.root().hex() == head.root
        if same:
            self._unknown = [position for position in self._unknown if position < head.since]
        yield from self._not_vouched_for()
        if same_size and not same:
            yield say.root_mismatch(head)
        # A signed head stands for its tree: each later head is judged by the rows since.
        self._tree = tree_of(head)

    def _not_vouched_for(self) -> Iterator[Finding]:
        """Rows whose keys are gone, where no head vouches for them."""
        yield from map(_row_changed, self._unknown)
        self._unknown.clear()


def _row_changed(position: int) -> Finding:
    return say.row_changed(position, f"The row at position {position}")


def _purges(session: Session, keys: KeyRing) -> Iterator[Finding]:
    for purge in session.execute(PURGES).all():
        if not is_signed(keys, PURGE, purge):
            yield say.purge_changed(purge)


def _left_by_purge(session: Session, keys: KeyRing, start: Start) -> Iterator[Finding]:
    # A purge that was killed leaves rows, which nothing but their own digests vouches for.
    for row in rows_from(session, LOWEST + 1, start.size) if start.size else ():
        if not is_genuine(keys, row):
            position = say.plain(row.position)
            yield say.row_changed(position, f"The row at position {position}, left by a purge,")


def _beyond(session: Session) -> Iterator[Finding]:
    count, first = session.execute(BEYOND).one()
    if count:
        yield say.beyond(count, first)


def _stray_heads(session: Session, keys: KeyRing, end: int) -> Iterator[Finding]:
    for head in session.execute(STRAY_HEADS, {"end": end}).all():
        if not is_signed(keys, HEAD, head):  # a signed one was added since we began
            yield say.head_changed(head)


def _unsealed(session: Session, keys: KeyRing) -> Iterator[Finding]:
    for row in paged(session, UNSEALED, {"id": LOWEST}):
        if not is_genuine(keys, row):
            uid = say.plain(row.uid)
            yield say.row_changed(uid, f"The unsealed row {uid}")
