"""Queries and bodies of `users.*`."""

from e2ereset.errors import InvalidQuery
from e2ereset.http import Flag, PageQuery, Query, Text, filled

SELECTORS = ("userId", "username", "email", "importId")


class InfoQuery(Query):
    """Whom to show: exactly one of the first four."""

    userId = Text(validate=filled())
    username = Text(validate=filled())
    email = Text(validate=filled())
    importId = Text(validate=filled())
    includeUserRooms = Flag()
    fields_ = Text(data_key="fields")


class ListQuery(PageQuery):
    """Which page of the users."""

    fields_ = Text(data_key="fields")


INFO, LIST = InfoQuery(), ListQuery()


def selected(query: dict[str, object]) -> tuple[str, str]:
    """By what somebody is looked for, and the name. Raises InvalidQuery unless it is one."""
    given = [name for name in SELECTORS if name in query]
    if len(given) != 1:
        raise InvalidQuery("must match exactly one schema in oneOf")
    return given[0], str(query[given[0]])
