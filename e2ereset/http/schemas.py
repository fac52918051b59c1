"""The bodies that our routes take. Strict: no unknown keys, no type is turned into another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

from e2ereset.errors import TargetParamMissing
from e2ereset.records import TargetName

TARGET_KEYS = ("userId", "username", "user")

SPELLED = {"true": True, "false": False}
UNFIT = re.compile("[\0\ud800-\udfff]")
TEXT_MESSAGES: dict[str, Any] = {"invalid": "must be string", "null": "must be string"}


class Text(fields.String):
    """A string that every database stores: no NUL, no lone surrogates."""

    def __init__(self, **options: Any) -> None:
        super().__init__(error_messages=TEXT_MESSAGES, **options)

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        text: str = super()._deserialize(value, *args, **options)
        if UNFIT.search(text):
            raise ValidationError("must be text without NUL or lone surrogates")
        return text


class Flag(fields.Field[bool]):
    """A boolean of JSON, nothing that only counts as one; forms spell it, see `Body.load_form`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(error_messages={"null": "must be boolean"}, **options)

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> bool:
        if value is True or value is False:
            return value
        raise ValidationError("must be boolean")


class Body(Schema):
    """A body that refuses keys it does not know."""

    class Meta:
        """Unknown keys are refused."""

        unknown = RAISE

    error_messages = {  # noqa: RUF012 - marshmallow declares it without ClassVar
        "unknown": "must NOT have additional properties",
        "type": "must be object",
    }

    def load_form(self, form: Mapping[str, str]) -> Any:
        """As `load`, for a form: there a flag is spelled `true` or `false`."""
        return self.load({name: self._spelled(name, text) for name, text in form.items()})

    def _spelled(self, name: str, text: str) -> str | bool:
        is_flag = isinstance(self.fields.get(name), Flag)
        return SPELLED.get(text, text) if is_flag else text


class TargetBody(Body):
    """Whose key: at most one is looked at, in the order userId, username, user."""

    userId = Text(allow_none=True)
    username = Text(allow_none=True)
    user = Text(allow_none=True)


class KeysBody(Body):
    """A new key pair; both are opaque text."""

    public_key = Text(required=True)
    private_key = Text(required=True)
    force = Flag(load_default=False)


class CodeBody(Body):
    """Whose pending code to mail again."""

    emailOrUsername = Text(required=True)


TARGET, KEYS, CODE = TargetBody(), KeysBody(), CodeBody()


def target_named(body: Mapping[str, Any]) -> TargetName | None:
    """Whom the body names; None when it has no target key at all.

    Raises TargetParamMissing for a key that is there but blank: never one's own account.
    """
    given = [key for key in TARGET_KEYS if key in body]
    if not given:
        return None
    if any(not (body[key] or "").strip() for key in given):
        raise TargetParamMissing()
    if given[0] == "userId":
        return TargetName(user_id=body["userId"])
    return TargetName(username=body[given[0]])
