"""The values of mongoexport, in both versions of extended JSON, canonical or relaxed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

LONGEST_KEY = 1 << 20  # characters
LAST_MOMENT = 253_402_300_799  # the end of the year 9999
NUMBERS = ("$numberLong", "$numberInt", "$numberDouble")
ID = validate.Regexp(r"[!-~]{1,255}\Z", error="It is no id.")


class Row(Schema):
    """A document, or a part of one. What the server has no use for is passed over."""

    class Meta:
        """Documents have many fields more."""

        unknown = EXCLUDE

    @pre_load
    def drop_nulls(self, given: Any, **_: Any) -> Any:
        """Null and missing are the same."""
        if not isinstance(given, Mapping):
            return given
        return {name: value for name, value in given.items() if value is not None}


class Stored(fields.String):
    """A text of at most `longest` characters that any database can hold."""

    def __init__(self, longest: int = 255, **options: Any) -> None:
        super().__init__(**options)
        self._longest = longest

    def _deserialize(self, value: Any, *args: Any, **named: Any) -> str:
        text: str = super()._deserialize(value, *args, **named)
        if len(text) > self._longest:
            raise ValidationError(f"It is longer than {self._longest} characters.")
        # Database drivers fail on NUL, and on halves of a pair of surrogates.
        if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
            raise ValidationError("It has characters that cannot be stored.")
        return text


class Id(Stored):
    """The id of a document, a text or an ObjectId."""

    def __init__(self, **options: Any) -> None:
        super().__init__(validate=ID, **options)

    def _deserialize(self, value: Any, *args: Any, **named: Any) -> str:
        inner = value.get("$oid") if isinstance(value, Mapping) else value
        return super()._deserialize(inner, *args, **named)


class Moment(fields.Field[int]):
    """A date, as epoch seconds."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        try:
            seconds = _seconds(value)
        except (ValueError, TypeError, OverflowError):
            raise ValidationError("It is no date.") from None
        if not 0 <= seconds <= LAST_MOMENT:
            raise ValidationError("It is no date that can be.")
        return int(seconds)


def _seconds(value: Any) -> float:
    """Epoch seconds of a date in extended JSON: ISO 8601, or milliseconds."""
    if isinstance(value, Mapping):
        value = value["$date"] if "$date" in value else _number(value)
    if isinstance(value, Mapping):
        value = _number(value)
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool):
        raise TypeError
    return float(value) / 1000


def _number(value: Mapping[str, Any]) -> float:
    for name in NUMBERS:
        if name in value:
            return float(value[name])
    raise ValueError
