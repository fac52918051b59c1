"""The body that names a target account."""

from collections.abc import Mapping
from typing import Any

from e2ereset.errors import TargetParamMissing
from e2ereset.http.schemas import Body, Text
from e2ereset.records import TargetName

TARGET_KEYS = ("userId", "username", "user")


class TargetBody(Body):
    """The target. Only one key counts: userId, else username, else user."""

    userId = Text(allow_none=True)
    username = Text(allow_none=True)
    user = Text(allow_none=True)


TARGET = TargetBody()


def target_named(body: Mapping[str, Any]) -> TargetName | None:
    """The account that the body names; None when it has no target key.

    Raises TargetParamMissing for a key that is given but blank: it never means the own account.
    """
    given = [key for key in TARGET_KEYS if key in body]
    if not given:
        return None
    if any(not (body[key] or "").strip() for key in given):
        raise TargetParamMissing()
    if given[0] == "userId":
        return TargetName(user_id=body["userId"])
    return TargetName(username=body[given[0]])
