"""What stands between a request and a use case: who, what, how often, with which proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flask import Blueprint, request
from marshmallow import ValidationError

from e2ereset.errors import InvalidParams, NotSignedIn, Refusal
from e2ereset.records import Action, ActionRequest, Caller, Proof
from e2ereset.settings import Settings
from e2ereset.typed import header_text

from . import bodies, envelope, strays
from .cross_site import CrossSite
from .origin import caller_address
from .rates import Rates, add_rate_headers
from .schemas import Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """The gates of one app. Routes are handed them, and pass them in the order of the methods.

    `identify` says who is signed in, `note_refusal` keeps the trace of a refusal, `wake` has what
    was committed mailed and sealed at once. `clock` gives epoch seconds.
    """

    settings: Settings
    clock: Callable[[], float]
    identify: Callable[[], Caller | None]
    rates: Rates
    cross_site: CrossSite
    note_refusal: Callable[[ActionRequest, Refusal], None]
    wake: Callable[[], None]

    def blueprint(self, name: str, *, url_prefix: str | None = None) -> Blueprint:
        """An empty blueprint: bodies are read first, errors are answered in the envelope."""
        blueprint = _Routes(name, __name__, url_prefix=url_prefix)
        envelope.handle_errors(blueprint)
        blueprint.record_once(strays.note_blueprint)
        blueprint.record_once(partial(bodies.read_first, self.settings.max_body_bytes))
        blueprint.before_request(self.cross_site.refuse_changes)
        for hook in (add_rate_headers, bodies.close_after_fault, self.cross_site.allow_origin):
            blueprint.after_request(hook)
        return blueprint

    def signed_in(self) -> Caller:
        """Who asks. Raises NotSignedIn."""
        caller = self.identify()
        if caller is None or not caller.account.active:
            raise NotSignedIn()
        return caller if caller.address else replace(caller, address=caller_address())

    def action_request(self, action: Action) -> ActionRequest:
        """What the signed-in caller of this request wants, and brings. Raises NotSignedIn."""
        now = int(self.clock())
        return ActionRequest(caller=self.signed_in(), proof=proof(), action=action, now=now)

    @contextmanager
    def entered(self, action: str) -> Iterator[ActionRequest]:
        """The request for this action; a refusal in the block leaves its trace.

        The block is what comes before any proof is asked for. Raises NotSignedIn.
        """
        asked = self.action_request(Action(name=action))
        with self.recorded(asked):
            yield asked

    @contextmanager
    def recorded(self, asked: ActionRequest) -> Iterator[None]:
        """Keep the trace of a refusal in this block, which is before any proof is asked for."""
        try:
            yield
        except Refusal as refusal:
            self.note_refusal(asked, refusal)
            raise

    def read_body(self) -> bodies.Body:
        """The body of this request, with at most E2ERESET_MAX_BODY_BYTES."""
        return bodies.read(self.settings.max_body_bytes)

    def body(self, schema: Body) -> dict[str, Any]:
        """The body that fits the schema. Raises InvalidParams with the first thing that does not.

        So does a field in the address: an empty body beside it would mean something else.
        """
        for name in schema.fields.keys() & bodies.fields_in_address():
            raise InvalidParams(f"{name} must be in the body")
        try:
            sent = self.read_body()
            load = schema.load_form if sent.is_form else schema.load
            loaded: dict[str, Any] = load(sent.parsed())
        except ValidationError as error:
            raise InvalidParams(_first(error.messages_dict)) from None
        return loaded

    def rate_limit(self, *, guarded: bool = True) -> None:
        """Count this request; see `Rates.limit`. Raises TooManyRequests, Unavailable."""
        self.rates.limit(guarded=guarded)

    @contextmanager
    def waking(self) -> Iterator[None]:
        """Have what the block commits mailed and sealed at once, a refusal's traces too."""
        try:
            yield
        finally:
            self.wake()


class _Routes(Blueprint):
    """Routes that do not answer OPTIONS with a page of Flask's own."""

    def add_url_rule(self, rule: str, *args: Any, **options: Any) -> None:
        """Add a rule that takes the methods that it names."""
        super().add_url_rule(rule, *args, **{"provide_automatic_options": False} | options)


def proof() -> Proof:
    """The second factor that rides on the headers; empty headers count as absent."""
    return Proof(
        code=header_text(request.headers.get("x-2fa-code", "")) or None,
        method=request.headers.get("x-2fa-method") or None,
    )


def _first(messages: Mapping[str, Any]) -> str:
    field, found = next(iter(messages.items()))
    words = found[0] if isinstance(found, list) else str(found)
    if "Missing data" in words:  # marshmallow's words for a required field
        return f"must have required property '{field}'"
    return words
