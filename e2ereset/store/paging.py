"""A walk through a table by its key, so that no statement and no transaction takes long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Select, bindparam, func, select

from .transactions import Transactions, run


@dataclass(frozen=True, slots=True)
class Page:
    """Some neighbouring rows of a table: the keys of the first and the last, and how many keys."""

    first: Any
    last: Any
    keys: int

    @property
    def bounds(self) -> dict[str, Any]:
        """The parameters of `Walk.within`."""
        return {"first_key": self.first, "last_key": self.last}


class Walk:
    """Goes through a table in pages, by the first column of its primary key.

    `within` is the condition that holds for the rows of one page. Each page is found and read
    through the index of the primary key, whatever else stands in the table.
    """

    def __init__(self, key: Column[Any]) -> None:
        self.within = key.between(bindparam("first_key"), bindparam("last_key"))
        self._first = _page(select(key), key)
        self._next = _page(select(key).where(key > bindparam("after")), key)

    def pages(self, transactions: Transactions, size: int) -> Iterator[Page]:
        """The pages of the table, in the order of the key; `size` keys to each but the last."""
        statement, after = self._first, None
        while True:
            with transactions.read() as session:
                found = run(session, statement, {"after": after, "size": size}).one()
            page = Page(**found._asdict())
            if page.keys:
                yield page
            # Rows that come in behind the end, while this is at work, must not keep it going.
            if page.keys < size:
                return
            statement, after = self._next, page.last


def _page(keys: Select[Any], key: Column[Any]) -> Select[Any, Any, int]:
    few = keys.distinct().order_by(key).limit(bindparam("size")).subquery()
    first, last = func.min(few.c[0]).label("first"), func.max(few.c[0]).label("last")
    return select(first, last, func.count().label("keys"))
