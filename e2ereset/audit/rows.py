"""Audit rows: written in the transaction they tell of, each with a keyed digest of its own.

An exported row is checked against the tree without our keys: its leaf's entry is the JSON array
`[uid, at, action, caller, target, method, address, agent, outcome, digest]` in UTF-8, `at` as a
whole number of epoch seconds, all others as strings, as RFC 8785 writes it: no white space, and
no escapes but those of `"` and `\\`. A row with a reason has it as an eleventh, behind the digest.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, func, select
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.records import iso
from e2ereset.store.tables import table

from .models import AuditRow

LONGEST = 255
TEXTS = ("action", "caller", "target", "method", "address", "agent", "outcome")
SIGNED = ("uid", "at", *TEXTS)
REASON = "reason"
"""It counts where it is not empty: rows that have none are digested as they were before it."""
MENDED = "audit-mended"

AUDIT = table(AuditRow)
COLUMNS = tuple(AUDIT.c[name] for name in ("id", "position", "digest", *SIGNED, REASON))
TAIL = select(*COLUMNS).order_by(AUDIT.c.id.desc()).limit(bindparam("limit"))
COUNT = select(func.count(), func.count(AUDIT.c.position)).select_from(AUDIT)
TAIL_OF = TAIL.where(AUDIT.c.target == bindparam("target"))


def big(name: str) -> Any:
    """A parameter that holds any position, size or time."""
    return bindparam(name, type_=BigInteger)


def tail(session: Session, limit: int, target: str | None = None) -> list[dict[str, Any]]:
    """The newest `limit` rows, newest last: position (None while unsealed), ISO time, texts.

    Given a target, an account id, the newest rows of what was done to that account only.
    """
    statement = TAIL if target is None else TAIL_OF
    with lenient(session):
        rows = session.execute(statement, {"limit": limit, "target": target}).all()
    return [_shown(row) for row in reversed(rows)]


def count(session: Session) -> tuple[int, int]:
    """How many rows there are, and how many of them are not sealed yet."""
    rows, sealed = session.execute(COUNT).one()
    return rows, rows - sealed


def clean(text: str) -> str:
    """The text as a log may keep it: unprintable characters escaped as in Python, 255 at most."""
    text = text[:LONGEST]
    if text.isprintable():
        return text
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(shown)[:LONGEST]


def fields_of(row: Row[Any]) -> dict[str, Any]:
    """What goes into the row's leaf, by name and in that order."""
    fields = {name: getattr(row, name) for name in (*SIGNED, "digest", REASON)}
    return {name: value for name, value in fields.items() if _counts(name, value)}


def entry_bytes(row: Row[Any]) -> bytes:
    """The entry of the row's leaf, in the form that this module's docstring sets."""
    fields = list(fields_of(row).values())
    # SQLite keeps any type in any column: whatever was slipped in there must still make a leaf.
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=bytes.hex)
    return text.encode("utf-8", "surrogatepass")


def digest_of(keys: KeyRing, row: Mapping[str, Any]) -> str:
    """Our digest of all that the row says, by the names of its columns."""
    return keys.digest("audit row", *_signed(row))


def is_genuine(keys: KeyRing, row: Row[Any]) -> bool:
    """True when the row carries our digest of all that it says."""
    return holds(keys, row.digest, "audit row", *_signed(row._mapping))


def names_key(keys: KeyRing, row: Row[Any]) -> bool:
    """True when the row's digest names a key that we hold."""
    return str(row.digest).partition(":")[0] in keys.ids


def holds(keys: KeyRing, stored: Any, purpose: str, *parts: Any) -> bool:
    """True when `stored` is our digest of the parts; False for whatever else a column holds."""
    if not isinstance(stored, str) or not stored.isascii():
        return False
    return keys.matches(stored, purpose, *map(str, parts))


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


def _signed(row: Mapping[Any, Any]) -> list[str]:
    return [str(row[name]) for name in (*SIGNED, REASON) if _counts(name, row[name])]


def _counts(name: str, value: Any) -> bool:
    return name != REASON or value not in ("", None)


def _shown(row: Row[Any]) -> dict[str, Any]:
    texts = {name: clean(str(getattr(row, name))) for name in (*TEXTS, REASON)}
    return {"position": row.position, "at": _time(row.at), **texts}


def _time(at: Any) -> str:
    try:
        return iso(at)
    except (TypeError, ValueError, OverflowError, OSError):  # only where the row was changed
        return clean(str(at))
