"""`count`, `offset` and `sort` of a query, as Rocket.Chat's lists take them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement

from e2ereset.errors import InvalidSort

from .schemas import Answer, Query, Text, Whole

COUNT, HIGHEST_COUNT = 50, 100
ALL = 10_000
"""The most rows of one answer, for `count=0`, which asks for all."""
DIRECTIONS = {1: False, -1: True}


class PageQuery(Query):
    """The parameters of a list, for schemas to inherit; a schema adds its own."""

    count = Whole(load_default=COUNT)
    offset = Whole(load_default=0)
    sort = Text(load_default="")


class PageAnswer(Answer):
    """The numbers of a list's answer, for schemas to inherit; `Page.facts` has them."""

    count = Whole(required=True)
    offset = Whole(required=True)
    total = Whole(required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which rows of a list to answer: after `offset` rows at most `limit`, in this `order`."""

    offset: int
    limit: int
    order: tuple[ColumnElement[Any], ...]

    def facts(self, found: int, total: int) -> dict[str, int]:
        """The numbers in the answer: of rows in it, of rows left out before, of all rows."""
        return {"count": found, "offset": self.offset, "total": total}


def read_page(
    sent: Mapping[str, Any],
    columns: Mapping[str, ColumnElement[Any]],
    *,
    default: str,
) -> Page:
    """The page that a loaded `PageQuery` asks for.

    `columns` are those that `sort` may name, by their names on the wire. Without `sort`, and among
    equal rows, the list is in the order of the column `default`, so give a unique one. Raises
    InvalidSort.
    """
    wanted = _read_sort(sent["sort"], columns)
    wanted.setdefault(default, False)
    order = (columns[name].desc() if down else columns[name].asc() for name, down in wanted.items())
    count = sent["count"]
    return Page(
        offset=sent["offset"],
        limit=min(count, HIGHEST_COUNT) if count else ALL,
        order=tuple(order),
    )


def _read_sort(text: str, columns: Mapping[str, Any]) -> dict[str, bool]:
    """The columns to sort by, and whether each goes down."""
    if not text:
        return {}
    try:
        sort = json.loads(text)
        if not (isinstance(sort, dict) and sort.keys() <= columns.keys()):
            raise ValueError
        if any(type(way) is not int for way in sort.values()):  # True is 1, too
            raise ValueError
        return {name: DIRECTIONS[way] for name, way in sort.items()}
    except (ValueError, KeyError, RecursionError):
        raise InvalidSort() from None
