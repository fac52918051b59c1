"""Rows and heads in the order of the tree, read in pages, so that no log is too long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, Select, select, tuple_
from sqlalchemy.orm import Session

from .heads import HEAD
from .rows import AUDIT, COLUMNS, big

PAGE = 1000
LOWEST, HIGHEST = -(2**63), 2**63 - 1

HEADS = (
    select(HEAD)
    .where(HEAD.c.size > big("after_size"), HEAD.c.size <= big("end"))
    .order_by(HEAD.c.size)
    .limit(PAGE)
)
ROWS = (
    select(*COLUMNS)
    .where(
        tuple_(AUDIT.c.position, AUDIT.c.id) > tuple_(big("after_position"), big("after_id")),
        AUDIT.c.position < big("end"),
    )
    .order_by(AUDIT.c.position, AUDIT.c.id)
    .limit(PAGE)
)


def heads_from(session: Session, start: int, end: int = HIGHEST) -> Iterator[Row[Any]]:
    """The heads whose size is from `start` to `end`, both included."""
    return paged(session, HEADS, {"size": start - 1}, end=end)


def rows_from(session: Session, start: int, end: int = HIGHEST) -> Iterator[Row[Any]]:
    """The sealed rows at the positions from `start` on, before `end`."""
    return paged(session, ROWS, {"position": start, "id": LOWEST}, end=end)


def paged(
    session: Session, statement: Select[Any], after: dict[str, int], **bounds: int
) -> Iterator[Row[Any]]:
    """All rows, page by page, of a statement that goes on behind its `after_` parameters."""
    place = {f"after_{name}": value for name, value in after.items()}
    while rows := session.execute(statement, place | bounds).all():
        yield from rows
        place = {f"after_{name}": getattr(rows[-1], name) for name in after}
