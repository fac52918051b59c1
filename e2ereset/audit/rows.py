"""Audit rows: what they say, how they are digested, and how they are read.

An exported row is checked against the tree without our keyring: its leaf's entry is the JSON array
`[uid, at, action, caller, target, method, address, agent, outcome, digest]` in UTF-8, `at` as a
whole number of epoch seconds, all others as strings, as RFC 8785 writes it: no white space, and
no escapes but those of `"` and `\\`. A row with a reason has it as an eleventh, behind the digest.
"""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Row, Select, func, select, true, tuple_, union_all
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.records import iso
from e2ereset.store.tables import table

from .models import AuditRow
from .tree import leaf_hash

LONGEST, LONGEST_REASON = 255, 1000
PAGE = 1000
LOWEST, HIGHEST = -(2**63), 2**63 - 1
TEXTS = ("action", "caller", "target", "method", "address", "agent", "outcome")
SIGNED = ("uid", "at", *TEXTS)
REASON = "reason"
MENDED = "audit-mended"
UID = re.compile(r"[0-9a-f]{32}")

AUDIT = table(AuditRow)
COLUMNS = tuple(AUDIT.c[name] for name in ("id", "position", "digest", *SIGNED, REASON))


def tail(session: Session, limit: int, target: str | None = None) -> list[dict[str, Any]]:
    """The newest `limit` rows, newest last: position (None while unsealed), ISO time, texts.

    Given a target, an account id, the newest rows of what was done to that account only.
    """
    statement = select(*COLUMNS).order_by(AUDIT.c.id.desc()).limit(limit)
    if target is not None:
        statement = statement.where(AUDIT.c.target == target)
    with lenient(session):
        return [_shown(row) for row in reversed(session.execute(statement).all())]


def about(
    session: Session, account_id: str, limit: int, *, before: str = "", uid: str = ""
) -> list[dict[str, Any]]:
    """The newest `limit` rows of what was done to or by this account, newest first, as `tail`.

    Given `before`, the uid of a row, those that are older than it; given `uid`, that row alone.
    What cannot be a uid is no `before`.
    """
    rest = (_older(before), AUDIT.c.uid == uid if uid else true())
    to, by = AUDIT.c.target == account_id, AUDIT.c.caller == account_id
    newest = AUDIT.c.id.desc()
    # Each half is read through an index of its own, and no further than `limit` rows.
    halves = (
        select(*COLUMNS).where(*half, *rest).order_by(newest).limit(limit).subquery()
        for half in ((to,), (by, AUDIT.c.caller != AUDIT.c.target))
    )
    both = union_all(*(select(half) for half in halves)).subquery()
    return _listed(session, select(both).order_by(both.c.id.desc()).limit(limit))


def helped(
    session: Session,
    limit: int,
    *,
    caller: str = "",
    targets: Sequence[str] = (),
    actions: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    before: str = "",
) -> list[dict[str, Any]]:
    """The newest `limit` rows of what somebody did to somebody else, newest first, as `about`.

    Given a caller, targets, actions or outcomes, those rows alone.
    """
    by = AUDIT.c.caller == caller if caller else AUDIT.c.caller != ""
    wanted = {AUDIT.c.target: targets, AUDIT.c.action: actions, AUDIT.c.outcome: outcomes}
    rest = (column.in_(some) for column, some in wanted.items() if some)
    others = AUDIT.c.caller != AUDIT.c.target, ~AUDIT.c.target.startswith(AUDIT.c.caller + ":")
    query = select(*COLUMNS).where(*others, by, _older(before), *rest)
    return _listed(session, query.order_by(AUDIT.c.id.desc()).limit(limit))


def count(session: Session) -> tuple[int, int]:
    """How many rows there are, and how many of them are not sealed yet."""
    rows, sealed = session.execute(
        select(func.count(AUDIT.c.id), func.count(AUDIT.c.position))
    ).one()
    return rows, rows - sealed


def rows_from(session: Session, start: int, end: int = HIGHEST) -> Iterator[Row[Any]]:
    """The sealed rows at the positions from `start` on, before `end`, in that order."""
    rows = select(*COLUMNS).where(AUDIT.c.position < end)
    return paged(session, rows, (AUDIT.c.position, AUDIT.c.id), (start, LOWEST))


def paged(
    session: Session, rows: Select[Any], by: tuple[Column[Any], ...], after: tuple[int, ...]
) -> Iterator[Row[Any]]:
    """The rows in which the columns `by` are above `after`, in that order, page by page."""
    ordered = rows.order_by(*by).limit(PAGE)
    while page := session.execute(ordered.where(tuple_(*by) > after)).all():
        yield from page
        after = tuple(getattr(page[-1], column.name) for column in by)


def clean(text: str, longest: int = LONGEST) -> str:
    """The text as a log may keep it: unprintable characters escaped as in Python, and cut."""
    text = text[:longest]
    if text.isprintable():
        return text
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(shown)[:longest]


def fields_of(row: Row[Any]) -> dict[str, Any]:
    """What goes into the row's leaf, by name and in that order."""
    return _said(row._mapping, "digest")


def leaf_of(row: Row[Any]) -> bytes:
    """The hash of the row's leaf. The docstring of this module sets the form of its entry."""
    fields = [*fields_of(row).values()]
    # SQLite keeps any type in any column: whatever was slipped in there must still make a leaf.
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=bytes.hex)
    return leaf_hash(text.encode("utf-8", "surrogatepass"))


def digest_of(keyring: KeyRing, row: Mapping[str, Any]) -> str:
    """Our digest of all that the row says, by the names of its columns."""
    return keyring.digest("audit row", *map(str, _said(row).values()))


def is_genuine(keyring: KeyRing, row: Row[Any]) -> bool:
    """True when the row carries our digest of all that it says."""
    return holds(keyring, row.digest, "audit row", *_said(row._mapping).values())


def holds(keyring: KeyRing, stored: Any, purpose: str, *parts: Any) -> bool:
    """True when `stored` is our digest of the parts; False for whatever else a column holds."""
    return isinstance(stored, str) and keyring.matches(stored, purpose, *map(str, parts))


@contextmanager
def lenient(session: Session) -> Iterator[None]:
    """Within the block, text in SQLite that is no UTF-8 reads as surrogates and does not raise.

    Otherwise one such row, slipped in, would keep the whole log from being sealed and verified.
    """
    driver = session.connection().connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        yield
        return
    before = driver.text_factory
    driver.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = before


def _older(before: str) -> Any:
    """The condition of rows that are older than the one of this uid; of all where it is none."""
    uid = select(AUDIT.c.id).where(AUDIT.c.uid == before)
    return AUDIT.c.id < uid.scalar_subquery() if UID.fullmatch(before) else true()


def _listed(session: Session, query: Select[Any]) -> list[dict[str, Any]]:
    with lenient(session):
        rows = session.execute(query).all()
    return [{"uid": row.uid, "epoch": row.at, **_shown(row)} for row in rows]


def _said(row: Mapping[Any, Any], *digest: str) -> dict[str, Any]:
    # A row without a reason is digested as rows were before there were reasons.
    reason = () if row[REASON] in ("", None) else (REASON,)
    return {name: row[name] for name in (*SIGNED, *digest, *reason)}


def _shown(row: Row[Any]) -> dict[str, Any]:
    texts = {name: clean(str(getattr(row, name))) for name in TEXTS}
    reason = clean(str(row.reason), LONGEST_REASON)
    return {"position": row.position, "at": _time(row.at), **texts, REASON: reason}


def _time(at: Any) -> str:
    try:
        return iso(at)
    except (TypeError, ValueError, OverflowError, OSError):  # only where the row was changed
        return clean(str(at))
