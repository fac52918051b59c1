"""What the library is told of stored rows, so that it can look after them wherever they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Row, Table, bindparam

NOW: Any = bindparam("now", type_=BigInteger)
"""The time of the purge, in epoch seconds, for use in `Expiring.over`."""


def by_key(row: Row[Any]) -> str:
    """The row's primary key, which is its first column: most texts are bound to that."""
    return str(row[0])


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A column of texts that `KeyRing.encrypt` made, for `keys rotate` to encrypt again.

    The first column of its table is the primary key. `context` makes from a row of the table what
    the row's text was bound to.
    """

    column: Column[Any]
    purpose: str
    context: Callable[[Row[Any]], str] = by_key

    def __str__(self) -> str:
        """The table and the column."""
        return str(self.column)


@dataclass(frozen=True, slots=True)
class Expiring:
    """Rows that have their time, for `purge` to drop: those of `rows` for which `over` is true.

    `what` is what they are called on the command line.
    """

    what: str
    rows: Table
    over: ColumnElement[bool]
