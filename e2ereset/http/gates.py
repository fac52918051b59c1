"""What stands between a request and a use case: who, what, how often, with which proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flask import request
from marshmallow import ValidationError

from e2ereset.agents import read_agent
from e2ereset.errors import InvalidParams, NotSignedIn, Refusal
from e2ereset.records import Action, ActionRequest, Caller, Proof
from e2ereset.runtime import get_e2ereset
from e2ereset.typed import header_text

from . import bodies
from .origin import caller_address
from .schemas import Body


def origin() -> tuple[str, str]:
    """Where the request came from: its address and its program, fit to be stored and mailed."""
    return caller_address(), read_agent(request.headers.get("User-Agent", ""))


def signed_in() -> Caller:
    """Who asks. Raises NotSignedIn."""
    caller = get_e2ereset().identify()
    if caller is None or not caller.account.active:
        raise NotSignedIn()
    return caller if caller.address else replace(caller, address=caller_address())


def proof() -> Proof:
    """The second factor that rides on the headers; empty headers count as absent."""
    return Proof(
        code=header_text(request.headers.get("x-2fa-code", "")) or None,
        method=request.headers.get("x-2fa-method") or None,
    )


def action_request(action: Action) -> ActionRequest:
    """What the signed-in caller of this request wants, and brings. Raises NotSignedIn."""
    now = int(get_e2ereset().clock())
    return ActionRequest(caller=signed_in(), proof=proof(), action=action, now=now)


def body(schema: Body) -> dict[str, Any]:
    """The body that fits the schema. Raises InvalidParams with the first thing that does not.

    So does a field in the address: an empty body beside it would mean something else.
    """
    for name in schema.fields.keys() & bodies.fields_in_address():
        raise InvalidParams(f"{name} must be in the body")
    try:
        sent = bodies.read()
        load = schema.load_form if sent.is_form else schema.load
        loaded: dict[str, Any] = load(sent.parsed())
    except ValidationError as error:
        raise InvalidParams(_first(error.messages_dict)) from None
    return loaded


@contextmanager
def recorded(asked: ActionRequest) -> Iterator[None]:
    """Write the audit row of a refusal in this block, which is before any proof is asked for."""
    try:
        yield
    except Refusal as refusal:
        get_e2ereset().stepup.record_refusal(asked, refusal)
        raise


def _first(messages: Mapping[str, Any]) -> str:
    field, found = next(iter(messages.items()))
    words = found[0] if isinstance(found, list) else str(found)
    if "Missing data" in words:  # marshmallow's words for a required field
        return f"must have required property '{field}'"
    return words
