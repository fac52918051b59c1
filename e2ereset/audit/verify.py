"""The check of the whole log: every row's digest, the order of rows, every head, the very end.

It reads rows and heads in pages, so that it needs little memory and holds up no writer. It gives
no false alarm while rows are written and sealed beside it: what was sealed after it began is left
to the next time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Row, Select, bindparam, func, select, tuple_
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing

from .heads import BEYOND, HEAD, NEWEST, is_marked, is_signed, tree_of
from .rows import AUDIT, COLUMNS, clean, entry_bytes, is_genuine, lenient
from .sealer import SEALER
from .tree import Tree, leaf_hash

PAGE = 1000
LOWEST, HIGHEST = -(2**63), 2**63 - 1


def _big(name: str) -> Any:
    return bindparam(name, type_=BigInteger)


# Below HIGHEST, because SQLite sorts a text, slipped in as a size, above every number.
END = select(func.coalesce(func.max(HEAD.c.size), 0)).where(HEAD.c.size < HIGHEST)
HEADS = (
    select(HEAD)
    .where(HEAD.c.size > _big("after_size"), HEAD.c.size <= _big("end"))
    .order_by(HEAD.c.size)
    .limit(PAGE)
)
STRAY_HEADS = select(HEAD).where(HEAD.c.size > _big("end")).limit(PAGE)
ROWS = (
    select(*COLUMNS)
    .where(
        tuple_(AUDIT.c.position, AUDIT.c.id) > tuple_(_big("after_position"), _big("after_id")),
        AUDIT.c.position < _big("end"),
    )
    .order_by(AUDIT.c.position, AUDIT.c.id)
    .limit(PAGE)
)
UNSEALED = (
    select(*COLUMNS)
    .where(AUDIT.c.position.is_(None), AUDIT.c.id > _big("after_id"))
    .order_by(AUDIT.c.id)
    .limit(PAGE)
)
TWICE = select(AUDIT.c.uid, func.count()).group_by(AUDIT.c.uid).having(func.count() > 1)
# One statement: a sealer changes the mark and the newest head together.
MARK = select(
    select(SEALER.c.mark).limit(1).scalar_subquery().label("mark"),
    NEWEST.with_only_columns(HEAD.c.digest).scalar_subquery().label("newest"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, as a sentence by `str()`.

    `kind` is `row-changed`, `row-removed`, `row-slipped-in`, `tail-cut`, `head-changed` or
    `root-mismatch`; `where` the position or uid of a row, or the size of a head.
    """

    kind: str
    where: int | str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def verify(session: Session, keys: KeyRing) -> list[Finding]:
    """All that is wrong with the log; empty when it is whole.

    Rows that no sealer has placed yet are checked by their own digests only. Whatever the tables
    hold, it is found and not stumbled over.
    """
    with lenient(session):
        end = session.execute(END).scalar_one()
        return [
            *_Walk(keys, end).findings(session),
            *_beyond(session),
            *_stray_heads(session, keys, end),
            *_unsealed(session, keys),
            *_twice(session),
            *_mark(session, keys),
        ]


class _Walk:
    """The walk along rows and heads, in the order of the tree, up to the head of size `end`."""

    def __init__(self, keys: KeyRing, end: int) -> None:
        self._keys = keys
        self._end = end
        self._tree = Tree()
        self._next = 0

    def findings(self, session: Session) -> Iterator[Finding]:
        """What is wrong with sealed rows and their heads."""
        heads = _paged(session, HEADS, "size", end=self._end)
        rows = _paged(session, ROWS, "position", "id", end=self._end)
        # Of equals, merge takes the first: the head of size n goes before the row at position n.
        steps = merge(
            ((head.size, self._head, head) for head in heads),
            ((row.position, self._row, row) for row in rows),
            key=itemgetter(0),
        )
        for _, judge, item in steps:
            yield from judge(item)
        if self._next < self._end:
            yield _missing("tail-cut", self._next, self._end)

    def _row(self, row: Row[Any]) -> Iterator[Finding]:
        if row.position < self._next or not isinstance(row.position, int):
            where = _plain(row.position)
            said = f"A row was slipped in at position {where}, where there is no place for it."
            yield Finding("row-slipped-in", where, said)
            return
        if row.position > self._next:
            yield _missing("row-removed", self._next, row.position)
        if not is_genuine(self._keys, row):
            yield _changed(row.position, f"The row at position {row.position}")
        self._tree.append(leaf_hash(entry_bytes(row)))
        self._next = row.position + 1

    def _head(self, head: Row[Any]) -> Iterator[Finding]:
        if not is_signed(self._keys, head):
            yield _forged(head)
            return
        # Trees of two sizes can not agree: the rows that lack were reported already.
        if self._tree.size == head.size and self._tree.root().hex() != head.root:
            yield Finding(
                "root-mismatch",
                head.size,
                f"The first {head.size} rows are not those that the head of size {head.size} was"
                " signed for: one of them was changed, or their order was.",
            )
        # A signed head vouches for its tree: each later head is judged by the rows since.
        self._tree = tree_of(head)


def _beyond(session: Session) -> Iterator[Finding]:
    count, first = session.execute(BEYOND).one()
    if count:
        first = _plain(first)
        yield Finding(
            "row-slipped-in",
            first,
            f"Behind the last head, from position {first} on, stand rows that it is not signed for"
            f" ({count}): they were slipped in, or a head was removed.",
        )


def _stray_heads(session: Session, keys: KeyRing, end: int) -> Iterator[Finding]:
    for head in session.execute(STRAY_HEADS, {"end": end}).all():
        if not is_signed(keys, head):  # a signed one was added since we began
            yield _forged(head)


def _unsealed(session: Session, keys: KeyRing) -> Iterator[Finding]:
    for row in _paged(session, UNSEALED, "id"):
        if not is_genuine(keys, row):
            uid = _plain(row.uid)
            yield _changed(uid, f"The unsealed row {uid}")


def _twice(session: Session) -> Iterator[Finding]:
    for uid, count in session.execute(TWICE):
        where = _plain(uid)
        yield Finding("row-slipped-in", where, f"The row {where} stands in the log {count} times.")


def _mark(session: Session, keys: KeyRing) -> Iterator[Finding]:
    mark, newest = session.execute(MARK).one()
    if not is_marked(keys, mark, newest):
        end = session.execute(END).scalar_one()
        yield Finding(
            "tail-cut",
            end,
            f"The last head, of size {end}, is not the one that was signed last: the end of the"
            " log was cut off or rewritten, or E2ERESET_SECRET_KEYS lost its key.",
        )


def _missing(kind: str, first: int, stop: int) -> Finding:
    span = f"Position {first} is" if stop - first == 1 else f"Positions {first} to {stop - 1} are"
    return Finding(kind, first, f"{span} empty: rows were removed.")


def _changed(where: int | str, subject: str) -> Finding:
    return Finding(
        "row-changed",
        where,
        f"{subject} was changed or forged, or E2ERESET_SECRET_KEYS lost its key: its digest does"
        " not match.",
    )


def _forged(head: Row[Any]) -> Finding:
    size = _plain(head.size)
    return Finding(
        "head-changed",
        size,
        f"The head of size {size} was changed or forged, or E2ERESET_SECRET_KEYS lost its key: its"
        " digest does not match.",
    )


def _plain(value: Any) -> int | str:
    return value if isinstance(value, int) else clean(str(value))


def _paged(
    session: Session, statement: Select[Any], *order: str, **bounds: int
) -> Iterator[Row[Any]]:
    """All rows, page by page, of a statement that goes on behind its `after_` parameters."""
    place = {f"after_{name}": LOWEST for name in order}
    while rows := session.execute(statement, place | bounds).all():
        yield from rows
        place = {f"after_{name}": getattr(rows[-1], name) for name in order}
