"""The export: every sealed row as an outsider needs it to find the root of a checkpoint again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError

from .heads import HEAD, AuditBroken, Start, find_end, find_start, is_signed, tree_of
from .notes import sign_head
from .pages import HIGHEST, rows_from
from .rows import AUDIT, big, entry_bytes, fields_of, lenient
from .tree import leaf_hash

FIRST_SINCE = select(func.min(AUDIT.c.position)).where(AUDIT.c.at >= big("since"))
HEAD_BEFORE = (
    select(HEAD).where(HEAD.c.size <= big("position")).order_by(HEAD.c.size.desc()).limit(1)
)


def export(
    session: Session, keys: KeyRing, origin: str, *, since: int | None = None
) -> Iterator[dict[str, Any]]:
    """The log as objects for JSON: where it starts, its sealed rows in order, a checkpoint.

    `since`, in epoch seconds, leaves out what stands before the first row of that time. Of a
    broken log all rows are given, and then AuditBroken is raised in place of the checkpoint.
    """
    with lenient(session):
        head, broken = _find_end(session, keys)
        end = HIGHEST if broken else head.size if head else 0
        start = _find_start(session, keys, since, end)
        yield {"start": start.size, "frontier": [node.hex() for node in start.tree.frontier]}
        for row in rows_from(session, start.size, end):
            yield {"position": row.position, **fields_of(row)}
        if broken:
            raise broken
        if find_start(session, keys).size > start.size:
            raise E2EResetError("Rows were purged meanwhile. Export once more.")
        yield {"checkpoint": sign_head(keys, origin, head)}


def _find_end(session: Session, keys: KeyRing) -> tuple[Row[Any] | None, AuditBroken | None]:
    try:
        return find_end(session, keys), None
    except AuditBroken as broken:
        return None, broken


def _find_start(session: Session, keys: KeyRing, since: int | None, end: int) -> Start:
    start = find_start(session, keys)
    if since is None:
        return start
    first = session.execute(FIRST_SINCE, {"since": since}).scalar_one()
    position = max(start.size, end if first is None else first)
    head = session.execute(HEAD_BEFORE, {"position": position}).first()
    if head and head.size > start.size and is_signed(keys, HEAD, head):
        start = Start(head.size, tree_of(head))
    for row in rows_from(session, start.size, position):
        start.tree.append(leaf_hash(entry_bytes(row)))
    return Start(position, start.tree)
