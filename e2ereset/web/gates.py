"""What stands between a request and a use case: who, what, how often, with which proof."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec

from flask import Response, make_response, request
from marshmallow import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from e2ereset.agents import read_agent
from e2ereset.errors import InvalidParams, NotSignedIn, Refusal, Unavailable
from e2ereset.records import Action, Caller, Demand, Proof
from e2ereset.runtime import get_e2ereset

from . import bodies, envelope
from .origin import caller_address
from .rates import add_rate_headers, rate_limit
from .schemas import Body

P = ParamSpec("P")

NAME = re.compile(r"[\w.@+-]{1,64}")  # what of a target a mail quotes


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
        code=request.headers.get("x-2fa-code") or None,
        method=request.headers.get("x-2fa-method") or None,
    )


def demand(action: Action) -> Demand:
    """What the signed-in caller of this request wants, and brings. Raises NotSignedIn."""
    now = int(get_e2ereset().clock())
    return Demand(caller=signed_in(), proof=proof(), action=action, now=now)


def body(schema: Body) -> dict[str, Any]:
    """The body that fits the schema. Raises InvalidParams with the first thing that does not."""
    try:
        sent = bodies.read()
        load = schema.load_form if sent.is_form else schema.load
        loaded: dict[str, Any] = load(sent.parsed())
    except ValidationError as error:
        raise InvalidParams(_first(error.messages_dict)) from None
    return loaded


@contextmanager
def recorded(asked: Demand) -> Iterator[None]:
    """Write the audit row of a refusal in this block, which is before any proof is asked for."""
    try:
        yield
    except Refusal as refusal:
        get_e2ereset().stepup.record_refusal(asked, refusal)
        raise


def two_factor_required(
    action: str,
    *,
    target: Callable[..., str] | None = None,
    phrase: str | None = None,
) -> Callable[[Callable[P, Any]], Callable[P, Response]]:
    """Let a view run only behind the second factor of the signed-in caller.

    The proof rides on the same headers, is answered with the same refusals and counted in the
    same budgets as that of a reset. A mailed code is bound to `action` and to what `target`
    makes of the view's arguments. `phrase` completes "to ..." in its mail. The code is burnt
    before the view runs, whatever comes of the view.
    """

    def decorate(view: Callable[P, Any]) -> Callable[P, Response]:
        """Guard this view."""

        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
            """Check the proof, then run the view."""
            bound = target(*args, **kwargs) if target else ""
            named = bound if NAME.fullmatch(bound) else ""  # no sentence out of a URL
            words = phrase or f"{action.replace('-', ' ')} {named}".strip()
            try:
                _prove(Action(name=action, target=bound, phrase=words))
            except Refusal as refusal:
                return add_rate_headers(envelope.failure(refusal))
            except (Unavailable, SQLAlchemyError) as fault:
                return envelope.faulty(fault)
            return add_rate_headers(make_response(view(*args, **kwargs)))

        return guarded

    return decorate


def _prove(action: Action) -> None:
    runtime, asked = get_e2ereset(), demand(action)
    with recorded(asked):
        rate_limit()
    try:
        runtime.stepup.run(asked, lambda _passed: None)
    finally:
        runtime.wake()


def _first(messages: Mapping[str, Any]) -> str:
    field, found = next(iter(messages.items()))
    words = found[0] if isinstance(found, list) else str(found)
    if "Missing data" in words:  # marshmallow's words for a required field
        return f"must have required property '{field}'"
    return words
