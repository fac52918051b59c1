"""Log lines: one object, or one line of text, for each record; never more than one line.

What a request adds to its lines stands in `FACTS`, which the server sets.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

FACTS: ContextVar[Mapping[str, Any] | None] = ContextVar("e2ereset_request", default=None)
"""The facts of the request at work, such as its `request_id`."""
GUNICORN = "gunicorn.error"
UNUSUAL = re.compile("[^ -~]")  # all others are printable, and need no look at each


class JsonLines(logging.Formatter):
    """One JSON object a line, in ASCII: no text can begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, then the facts of its request."""
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """One line for people: control characters, line ends among them, are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, then the facts of its request as `name=value`."""
        words = [_time(record), record.levelname, record.name, record.getMessage()]
        words += [f"{name}={value}" for name, value in _facts(record).items()]
        if record.exc_info:
            words.append(self.formatException(record.exc_info))
        return UNUSUAL.sub(_escaped, " ".join(words))


FORMATTERS: dict[str, type[logging.Formatter]] = {"json": JsonLines, "text": TextLines}


def set_up(kind: str, level: str) -> None:
    """Log to stderr in this format, gunicorn's own lines included.

    Changes nothing where somebody has set up the root logger before, as `basicConfig` does.
    """
    formatter = FORMATTERS[kind]()
    if not logging.root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(formatter)
        logging.basicConfig(handlers=[handler], level=level.upper())
        format_gunicorn()


def format_gunicorn() -> None:
    """Have gunicorn's own lines in the form of ours; again after its reload."""
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
