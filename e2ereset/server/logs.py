"""Log lines: each record is one line, a JSON object or a text, and never more than one line.

`request_log` sets `FACTS` for each request; all lines of that request carry them.
"""

import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

FACTS: ContextVar[Mapping[str, Any] | None] = ContextVar("e2ereset_request", default=None)
"""The facts of the request at work, such as its `request_id`."""
GUNICORN = "gunicorn.error"
UNUSUAL = re.compile("[^ -~]")  # what may have to be escaped


class JsonLines(JsonFormatter):
    """One JSON object a line, in ASCII: no text can begin a line of its own."""

    def __init__(self) -> None:
        super().__init__(json_default=str)

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """The fields of docs/operations.md. What else a library adds to a record is left out."""
        log_data |= {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if "exc_info" in message_dict:
            log_data["traceback"] = message_dict["exc_info"]


class TextLines(logging.Formatter):
    """One line of text for people. Control characters are escaped, line ends among them."""

    def format(self, record: logging.LogRecord) -> str:
        """The time, level, logger and message, then the facts of the request as `name=value`."""
        words = [_time(record), record.levelname, record.name, record.getMessage()]
        words += [f"{name}={value}" for name, value in _facts(record).items()]
        if record.exc_info:
            words.append(self.formatException(record.exc_info))
        return UNUSUAL.sub(_escaped, " ".join(words))


FORMATTERS: dict[str, type[logging.Formatter]] = {"json": JsonLines, "text": TextLines}


def set_up(kind: str, level: str) -> None:
    """Log to stderr in this format, "json" or "text", gunicorn's own lines included.

    Changes nothing where the root logger has a handler already.
    """
    formatter = FORMATTERS[kind]()
    if not logging.root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(formatter)
        logging.basicConfig(handlers=[handler], level=level.upper())
        format_gunicorn()


def format_gunicorn() -> None:
    """Give gunicorn's own lines our format. Call it again after each reload of gunicorn."""
    for ours in logging.root.handlers:
        if isinstance(ours.formatter, tuple(FORMATTERS.values())):
            for other in logging.getLogger(GUNICORN).handlers:
                other.setFormatter(ours.formatter)


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else ascii(found[0])[1:-1]


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facts(record: logging.LogRecord) -> Mapping[str, Any]:
    return {**(FACTS.get() or {}), **getattr(record, "facts", {})}
