"""The fields and base classes of schemas: no unknown keys, no conversion of types.

Faults are told in the words of JSON Schema, as Rocket.Chat tells them. All of marshmallow's fields
can be used; those here also refuse what a database cannot store.
"""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import INCLUDE, RAISE, Schema, ValidationError, fields
from marshmallow.validate import Equal, Length, OneOf, Range
from werkzeug.datastructures import MultiDict

SPELLED = {"true": True, "false": False}
DIGITS = re.compile("-?[0-9]{1,18}")
UNFIT = re.compile("[\0\ud800-\udfff]")
"""What not every database can store."""
HIGHEST = 2**53 - 1
"""The highest number that every client reads exactly."""


class Text(fields.String):
    """A string that every database can store: no NUL, no lone surrogates."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        text: str = super()._deserialize(value, *args, **options)
        if UNFIT.search(text):
            raise ValidationError("must be text without NUL or lone surrogates")
        return text


class Flag(fields.Boolean):
    """A JSON boolean and nothing else. In forms and queries it is spelled `true` or `false`."""

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> bool:
        if value is True or value is False:
            return value
        raise self.make_error("invalid", input=value)


class Items(fields.List[Any]):
    """A list that is read up to its first fault: no client is told of others.

    A long list of faults would else take seconds, and is not counted by the rate.
    """

    def _deserialize(self, value: Any, *_args: Any, **options: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        for check in self.validators:
            if isinstance(check, Length):  # before the items are read
                check(value)
        found = []
        for index, one in enumerate(value):
            try:
                found.append(self.inner.deserialize(one, **options))
            except ValidationError as fault:
                raise ValidationError({index: fault.messages}) from None
        return found


class Entries(fields.Dict):
    """An object with any keys, which is read up to its first fault, as `Items`."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise self.make_error("invalid")
        found: dict[str, Any] = {}
        for key, one in value.items():
            found |= super()._deserialize({key: one}, *args, **options)  # type: ignore[no-untyped-call]
        return found


class Whole(fields.Integer):
    """A whole number from `low` to `high`. In forms and queries it is spelled with digits."""

    def __init__(self, *, low: int = 0, high: int = HIGHEST, **options: Any) -> None:
        limits = [
            Range(min=low, error="must be >= {min}"),
            Range(max=high, error="must be <= {max}"),
        ]
        super().__init__(strict=True, validate=limits, **options)


KINDS: dict[type[Any], str] = {
    fields.String: "string",
    fields.Boolean: "boolean",
    fields.Integer: "integer",
    fields.Number: "number",
    fields.List: "array",
    fields.Nested: "object",
    fields.Mapping: "object",
}


def one_of(*values: str) -> OneOf:
    """The check of a field that takes one of these values."""
    return OneOf(values, error="must be equal to one of the allowed values")


def filled() -> Length:
    """The check of a text that may not be empty."""
    return Length(min=1, error="must NOT have fewer than 1 characters")


class Body(Schema):
    """A body that refuses unknown keys."""

    class Meta:
        """Unknown keys are refused."""

        unknown = RAISE

    error_messages = {  # noqa: RUF012 - marshmallow declares it without ClassVar
        "unknown": "must NOT have additional properties",
        "type": "must be object",
    }

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Give the field the words of JSON Schema."""
        missing = f"must have required property '{field_name}'"
        one: fields.Field[Any] | None = field_obj
        while one is not None:
            kind = next((words for base, words in KINDS.items() if isinstance(one, base)), "")
            words = f"must be {kind}" if kind else "must NOT be valid"
            one.error_messages |= {"required": missing, "null": words, "invalid": words}
            one = getattr(one, "inner", None) or getattr(one, "value_field", None)

    def load_form(self, form: Mapping[str, str]) -> Any:
        """Like `load`, for a form, in which flags and numbers are spelled."""
        return self.load({name: self._spelled(name, text) for name, text in form.items()})

    def _spelled(self, name: str, text: str) -> str | bool | int:
        field = self.fields.get(name)
        if isinstance(field, fields.Boolean):
            return SPELLED.get(text, text)
        if isinstance(field, fields.Integer) and DIGITS.fullmatch(text):
            return int(text)
        return text


class Query(Body):
    """The parameters in the query string; unknown ones are refused."""

    def load_query(self, query: MultiDict[str, str]) -> Any:
        """Like `load_form`. A list comes as `name=a&name=b`, or as `name[]=a&name[]=b`."""
        sent: dict[str, Any] = {}
        for key, texts in query.lists():
            name = key.removesuffix("[]")
            if isinstance(self.fields.get(name), fields.List):
                sent[name] = sent.get(name, []) + texts
            else:
                sent[key] = self._spelled(key, texts[0]) if len(texts) == 1 else texts
        return self.load(sent)


class Answer(Schema):
    """A successful answer, to which the schema of a route adds its fields."""

    class Meta:
        """A later version may add keys."""

        unknown = INCLUDE

    success = Flag(required=True, validate=Equal(True))
