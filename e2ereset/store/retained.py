"""Descriptions of stored rows: which texts are encrypted, and which rows expire."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Row, Table, bindparam

NOW: Any = bindparam("now", type_=BigInteger)
"""The time of the purge, in epoch seconds, for use in `Expiring.over`."""


def by_key(row: Row[Any]) -> str:
    """The row's primary key, its first column: most texts are bound to it."""
    return str(row[0])


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A column of texts that `KeyRing.encrypt` made, which `keys rotate` encrypts again.

    The first column of its table is the primary key. `context` makes, from a row of the table, the
    context that the row's text was encrypted for.
    """

    column: Column[Any]
    purpose: str
    context: Callable[[Row[Any]], str] = by_key

    def __str__(self) -> str:
        """The table and the column."""
        return str(self.column)


@dataclass(frozen=True, slots=True)
class Expiring:
    """Rows that expire: `purge` deletes those of the table `rows` for which `over` is true.

    `what` is their name on the command line.
    """

    what: str
    rows: Table
    over: ColumnElement[bool]
