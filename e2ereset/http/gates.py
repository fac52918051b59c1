"""The checks that a request passes before its use case: sign-in, body, rate, proof."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flask import Blueprint, g, request
from marshmallow import ValidationError

from e2ereset.errors import (
    InvalidParams,
    InvalidQuery,
    MissingPermission,
    NotSignedIn,
    Refusal,
    TooManyRequests,
)
from e2ereset.records import Action, ActionRequest, Caller, Proof
from e2ereset.settings import Settings
from e2ereset.typed import header_text

from . import bodies, envelope, strays
from .cross_site import CrossSite
from .origin import caller_address
from .rates import BYPASS, Kind, Rates, add_rate_headers, forget_rate_headers
from .schemas import Body, Query

CALLER = "e2ereset_caller"
"""Where `g` has the caller who has passed `signed_in`."""
PROOF = "e2ereset.proof"
"""Where the environ has the proof of a page's request. No client can write there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """The gates of one app. A route gets them, and calls them in the order of the methods here.

    `identify` returns the signed-in caller, `allows` says whether one of these roles holds a
    permission now, `note_refusal` reports a refusal, `wake` makes the threads mail and seal at
    once. `clock` gives epoch seconds.
    """

    settings: Settings
    clock: Callable[[], float]
    identify: Callable[[], Caller | None]
    rates: Rates
    cross_site: CrossSite
    allows: Callable[[Sequence[str], str], bool]
    note_refusal: Callable[[ActionRequest, Refusal], None]
    wake: Callable[[], None]

    def blueprint(
        self, name: str, *, url_prefix: str | None = None, pages: bool = False, **options: Any
    ) -> Blueprint:
        """An empty blueprint: bodies are read first, errors are answered in the envelope.

        With `pages`, what is near to its routes is answered by the app, as people look at it.
        `options` are those of Flask's Blueprint.
        """
        blueprint = _Routes(name, __name__, url_prefix=url_prefix, **options)
        envelope.handle_errors(blueprint)
        limit = self.settings.max_body_bytes
        blueprint.record_once(partial(strays.note_blueprint, limit, enveloped=not pages))
        blueprint.before_request(self.cross_site.refuse_changes)
        for hook in (add_rate_headers, bodies.close_after_fault, self.cross_site.allow_origin):
            blueprint.after_request(hook)
        return blueprint

    def signed_in(self) -> Caller:
        """The signed-in caller. Raises NotSignedIn."""
        caller = self.identify()
        if caller is None or not caller.account.active:
            raise NotSignedIn()
        if not caller.address:
            caller = replace(caller, address=caller_address())
        setattr(g, CALLER, caller)
        return caller

    def known(self) -> Caller | None:
        """Who has passed `signed_in`, else who is signed in now; None for nobody."""
        caller: Caller | None = g.get(CALLER)
        return caller or self.identify()

    def action_request(self, action: Action) -> ActionRequest:
        """The signed-in caller's request for this action, with its proof. Raises NotSignedIn."""
        now = int(self.clock())
        return ActionRequest(caller=self.signed_in(), proof=proof(), action=action, now=now)

    @contextmanager
    def entered(self, action: str) -> Iterator[ActionRequest]:
        """The request for this action. A refusal in the block is reported.

        The block holds the checks that come before the proof. Raises NotSignedIn.
        """
        asked = self.action_request(Action(name=action))
        with self.recorded(asked):
            yield asked

    @contextmanager
    def asked(self, action: str, schema: Body) -> Iterator[tuple[ActionRequest, dict[str, Any]]]:
        """`entered`, with the body or the query, within the rate of what writes or reads."""
        with self.entered(action) as asked:
            if isinstance(schema, Query):
                sent = self.query(schema)
                self.rate_limit("read")
            else:
                sent = self.body(schema)
                self.rate_limit("write")
            yield asked, sent

    @contextmanager
    def recorded(self, asked: ActionRequest) -> Iterator[None]:
        """Report a refusal in this block, which holds the checks before the proof."""
        try:
            yield
        except Refusal as refusal:
            self.note_refusal(asked, refusal)
            raise

    def permit(self, asked: ActionRequest, *permissions: str) -> None:
        """Raise MissingPermission unless the caller's roles hold all of these permissions.

        Routes call it before they read the body (8.5 and later). It is not enough for an act: the
        service checks the permission again, in the transaction of the act.
        """
        if not all(self.allows(asked.caller.account.roles, one) for one in permissions):
            raise MissingPermission()

    def permit_any(self, asked: ActionRequest, *permissions: str) -> None:
        """`permit`, where one of these permissions is enough."""
        if not any(self.allows(asked.caller.account.roles, one) for one in permissions):
            raise MissingPermission()

    def read_body(self) -> bodies.Body:
        """The body of this request, up to E2ERESET_MAX_BODY_BYTES."""
        return bodies.read(self.settings.max_body_bytes)

    def body(self, schema: Body) -> dict[str, Any]:
        """The body, loaded by the schema. Raises InvalidParams with its first fault.

        A field in the query string is refused too: with an empty body it would be ignored, and an
        empty body means something else.
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

    def query(self, schema: Query) -> dict[str, Any]:
        """The query, loaded by the schema. Raises InvalidQuery with its first fault.

        A route without a body calls this. It refuses a malformed body, too.
        """
        self.read_body().parsed()
        try:
            loaded: dict[str, Any] = schema.load_query(request.args)
        except ValidationError as error:
            raise InvalidQuery(_first(error.messages_dict)) from None
        except UnicodeDecodeError:
            raise InvalidQuery("Invalid query parameters") from None
        return loaded

    def rate_limit(self, kind: Kind = "guarded") -> None:
        """Count this request; see `Rates.limit`. Raises TooManyRequests, Unavailable.

        `guarded` routes sign in or take a second factor; others `write` or `read`. Over the rate a
        signed-in caller passes with the permission `api-bypass-rate-limit`.
        """
        try:
            self.rates.limit(kind)
        except TooManyRequests:
            caller: Caller | None = g.get(CALLER)
            # It is looked up only here, so that the other requests do not pay for it.
            if caller is None or not self.allows(caller.account.roles, BYPASS):
                raise
            forget_rate_headers()

    @contextmanager
    def waking(self) -> Iterator[None]:
        """Wake the threads after the block, which mail and seal what it committed, or refused."""
        try:
            yield
        finally:
            self.wake()


class _Routes(Blueprint):
    """Routes for which Flask adds no answer to OPTIONS."""

    def add_url_rule(self, rule: str, *args: Any, **options: Any) -> None:
        """Add a rule that accepts only the methods that it names."""
        super().add_url_rule(rule, *args, **{"provide_automatic_options": False} | options)


def note_page() -> None:
    """Note that this request is a browser's for a page: it can be led to the page of the proof."""
    request.environ.setdefault(PROOF, Proof(typed=""))


def proof() -> Proof:
    """The second factor in the headers; empty headers count as absent.

    Where the page of the proof repeats a request it is what was proven there.
    """
    page: Proof = request.environ.get(PROOF, Proof())
    if page.code or page.method:
        return page
    return replace(
        page,
        code=header_text(request.headers.get("x-2fa-code", "")) or None,
        method=request.headers.get("x-2fa-method") or None,
    )


def _first(found: Any) -> str:
    """The first text in marshmallow's messages, which are nested as the body is."""
    while not isinstance(found, str):
        found = next(iter(found.values() if isinstance(found, Mapping) else found))
    return found
