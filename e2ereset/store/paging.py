"""Keyset pagination: reads a table page by page, so that no statement or transaction takes long."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Select, bindparam, func, select

from .transactions import Transactions, run


@dataclass(frozen=True, slots=True)
class Page:
    """Neighbouring rows of a table: their first key, their last key, and the number of keys."""

    first: Any
    last: Any
    keys: int

    @property
    def bounds(self) -> dict[str, Any]:
        """The parameters of `KeysetPages.within`."""
        return {"first_key": self.first, "last_key": self.last}


class KeysetPages:
    """The pages of a table, by the first column of its primary key.

    The condition `within` selects the rows of one page. Each page is found and read through the
    index of the primary key.
    """

    def __init__(self, key: Column[Any]) -> None:
        self.within = key.between(bindparam("first_key"), bindparam("last_key"))
        self._first = _page(select(key), key)
        self._next = _page(select(key).where(key > bindparam("after")), key)

    def pages(self, transactions: Transactions, size: int) -> Iterator[Page]:
        """The pages, in the order of the key. Each has `size` keys, the last one has fewer."""
        statement, after = self._first, None
        while True:
            with transactions.read() as session:
                found = run(session, statement, {"after": after, "size": size}).one()
            page = Page(**found._asdict())
            if page.keys:
                yield page
            # It ends at the first short page, even if new rows are added at the end all the time.
            if page.keys < size:
                return
            statement, after = self._next, page.last


def _page(keys: Select[Any], key: Column[Any]) -> Select[Any, Any, int]:
    few = keys.distinct().order_by(key).limit(bindparam("size")).subquery()
    first, last = func.min(few.c[0]).label("first"), func.max(few.c[0]).label("last")
    return select(first, last, func.count().label("keys"))
