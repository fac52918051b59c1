"""The fields and the base class of body schemas: no unknown keys, no conversion of types."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

SPELLED = {"true": True, "false": False}
UNFIT = re.compile("[\0\ud800-\udfff]")
TEXT_MESSAGES: dict[str, Any] = {"invalid": "must be string", "null": "must be string"}


class Text(fields.String):
    """A string that every database can store: no NUL, no lone surrogates."""

    def __init__(self, **options: Any) -> None:
        super().__init__(error_messages=TEXT_MESSAGES, **options)

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        text: str = super()._deserialize(value, *args, **options)
        if UNFIT.search(text):
            raise ValidationError("must be text without NUL or lone surrogates")
        return text


class Flag(fields.Field[bool]):
    """A JSON boolean and nothing else. In forms it is spelled, see `Body.load_form`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(error_messages={"null": "must be boolean"}, **options)

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> bool:
        if value is True or value is False:
            return value
        raise ValidationError("must be boolean")


class Body(Schema):
    """A body that refuses unknown keys."""

    class Meta:
        """Unknown keys are refused."""

        unknown = RAISE

    error_messages = {  # noqa: RUF012 - marshmallow declares it without ClassVar
        "unknown": "must NOT have additional properties",
        "type": "must be object",
    }

    def load_form(self, form: Mapping[str, str]) -> Any:
        """Like `load`, for a form, in which a flag is spelled `true` or `false`."""
        return self.load({name: self._spelled(name, text) for name, text in form.items()})

    def _spelled(self, name: str, text: str) -> str | bool:
        is_flag = isinstance(self.fields.get(name), Flag)
        return SPELLED.get(text, text) if is_flag else text
