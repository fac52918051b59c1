"""The table of refusals: which of them a route can answer with, in which form."""

import inspect
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema

from e2ereset.errors import (
    CrossSite,
    FactorInvalid,
    FactorRequired,
    GrantElsewhere,
    GrantSpent,
    InvalidParams,
    InvalidQuery,
    InvalidSort,
    MissingPermission,
    NoFactor,
    NotSignedIn,
    Refusal,
    TooManyAttempts,
    TooManyRequests,
)

from . import envelope
from .bodies import JSON_TYPE
from .described import Described
from .pagination import PageQuery

OF_STEP_UP = (
    NoFactor,
    TooManyAttempts,
    FactorRequired,
    FactorInvalid,
    GrantElsewhere,
    GrantSpent,
)
NUMBER = {"schema": {"type": "string", "pattern": "^[0-9]+$"}}
HEADERS_OF = {
    "X-RateLimit-Limit": {"description": "Requests in a window.", **NUMBER},
    "X-RateLimit-Remaining": {"description": "Requests that are left in this window.", **NUMBER},
    "X-RateLimit-Reset": {"description": "The end of the window, epoch milliseconds.", **NUMBER},
    "Retry-After": {"description": "Seconds to wait.", **NUMBER},
}
COMMON = {
    413: ("TooLarge", "The body is too long.", "The request body is too large", ()),
    414: ("LineTooLong", "The path and query are too long.", "The request line is too long", ()),
    503: ("Unavailable", "Something of ours is gone.", "Service Unavailable", ("Retry-After",)),
}
"""By status, the failures that are no refusals: name, description, text, headers."""


def refusals_of(told: Described, *, changes: bool) -> tuple[type[Refusal], ...]:
    """All refusals that a described route can answer with.

    `changes`: it may change something, with a sign-in that a browser adds by itself.
    """
    found: list[type[Refusal]] = [NotSignedIn] if told.signed_in else []
    found += [CrossSite] if changes else []
    found += [MissingPermission] if told.permissions else []
    found += [InvalidParams]
    found += [InvalidQuery] if told.query else []
    found += [InvalidSort] if isinstance(told.query, PageQuery) else []
    found += [TooManyRequests]
    found += OF_STEP_UP if told.step_up else ()
    return tuple(dict.fromkeys([*found, *told.refuses]))


def failures_of(refusals: Iterable[type[Refusal]], others: Mapping[int, Schema]) -> dict[str, Any]:
    """The responses of a route other than its success, by status."""
    by_status: dict[int, list[type[Refusal]]] = defaultdict(list)
    for kind in refusals:
        by_status[envelope.status_of(kind)].append(kind)
    made: dict[str, Any] = {str(status): name for status, (name, *_) in COMMON.items()}
    for status, kinds in by_status.items():
        shared = _shared(kinds)
        made[str(status)] = shared or _response(kinds)
    for status, schema in others.items():
        content = {JSON_TYPE: {"schema": schema}}
        words = inspect.getdoc(type(schema)) or ""
        made[str(status)] = {"description": words, "content": content}
    return dict(sorted(made.items()))


def _shared(kinds: list[type[Refusal]]) -> str | None:
    """The name of the response that routes share; None where they do not."""
    return kinds[0].__name__ if kinds in ([NotSignedIn], [TooManyRequests]) else None


def _response(kinds: Iterable[type[Refusal]]) -> dict[str, Any]:
    kinds = list(kinds)
    lines = [f"* `{kind.code}`: {_first_line(kind)}" for kind in kinds]
    waits, all_typed = TooManyAttempts in kinds, all(kind.typed for kind in kinds)
    typed = list(dict.fromkeys(kind.code for kind in kinds if kind.typed))
    properties: dict[str, Any] = {"success": {"const": False}, "error": {"type": "string"}}
    if typed:
        properties["errorType"] = {"enum": typed}
    properties["details"] = {"type": "object"}
    schema = {
        "type": "object",
        "required": ["success", "error", *(["errorType"] if all_typed else [])],
        "properties": properties,
        "additionalProperties": False,
    }
    examples = {kind.code.replace(" ", "-"): {"value": _example(kind)} for kind in kinds}
    return {
        "description": "\n".join(lines),
        "headers": {name: name for name in HEADERS_OF if name != "Retry-After" or waits},
        "content": {JSON_TYPE: {"schema": schema, "examples": examples}},
    }


def _example(kind: type[Refusal]) -> dict[str, Any]:
    if kind is NotSignedIn:
        words = kind.reason
        return {"success": False, "error": words, "status": "error", "message": words}
    if kind is TooManyRequests:
        return {"success": False, "error": str(TooManyRequests(52))}
    shown: dict[str, Any] = {"success": False, "error": kind.text_of(kind.reason)}
    return {**shown, "errorType": kind.code} if kind.typed else shown


def _first_line(kind: type[Refusal]) -> str:
    return (inspect.getdoc(kind) or kind.reason).partition("\n")[0]


def _exactly(example: dict[str, Any]) -> dict[str, Any]:
    """The content of a response with these keys; its texts are those of the moment."""
    properties = {
        name: {"const": value} if isinstance(value, bool) else {"type": "string"}
        for name, value in example.items()
    }
    schema = {
        "type": "object",
        "required": [*properties],
        "properties": properties,
        "additionalProperties": False,
    }
    return {"content": {JSON_TYPE: {"schema": schema, "example": example}}}


RESPONSES: dict[str, Any] = {
    **{
        kind.__name__: {
            "description": _first_line(kind),
            "headers": {name: name for name in HEADERS_OF} if kind is TooManyRequests else {},
            **_exactly(_example(kind)),
        }
        for kind in (NotSignedIn, TooManyRequests)
    },
    **{
        name: {
            "description": words,
            "headers": {header: header for header in headers},
            **_exactly({"success": False, "error": text}),
        }
        for name, words, text, headers in COMMON.values()
    },
}
"""The responses that routes share, by name."""
