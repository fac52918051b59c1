"""Leads a browser that needs a proof to the page of the proof, and back to what it wanted."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from flask import Response, current_app, redirect, request, session, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.errors import FactorInvalid, FactorRequired, Refusal, TooManyAttempts
from e2ereset.http import Gates, bodies
from e2ereset.http.gates import PROOF
from e2ereset.kept.service import Kept, KeptRequests
from e2ereset.records import Action, Caller, Proof

from .cookies import set_cookie

COOKIE = "e2ereset_browser"
REPEATS, REFUSED = "e2ereset.repeats", "e2ereset.refused"
"""In the environ of a request that is repeated with a proof: that it is one, and its refusal."""
PROVABLE = (FactorRequired, FactorInvalid, TooManyAttempts)
"""The refusals that a proof page answers."""
OVER = "over"
"""In what is told of spent tries: when they are back, in epoch seconds; None: they are locked."""
LONGEST = 256 * 1024
"""Bytes of a body that is kept."""


class TooLongToKeep(Refusal):
    """A form with a file, or a very long one, cannot wait for its proof."""

    code = "error-too-long-to-keep"
    reason = "This form is too long to wait for a proof"
    plain = "This form has a file or is too long: it cannot wait while you prove that it is you."


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """What came of a request that was repeated with a proof: an answer, or a refused proof."""

    response: Response = field(default_factory=Response)
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The way over the page of the proof, whose endpoint is `page`."""

    gates: Gates
    kept: KeptRequests
    entropy: Any
    page: str

    def lead(self, refusal: Refusal, action: Action, caller: Caller | None) -> AnyResponse:
        """Keep this request, and lead its browser to the page of the proof.

        A request that is repeated by that page is not kept again: the page learns its refusal.
        Raises TooLongToKeep.
        """
        if REPEATS in request.environ:
            request.environ[REFUSED] = refusal
            return Response()
        cookie = browser() or self.entropy.token_urlsafe(32)
        told = told_of(refusal, int(self.gates.clock()))
        kept = _kept(self.gates, action, told, self._came_from())
        key = self.kept.keep(kept, cookie, caller)
        response = redirect(url_for(self.page, key=key), 303)
        set_cookie(response, self.gates.settings, COOKIE, cookie)
        return response

    def repeat(self, kept: Kept, proof: Proof) -> Repeated:
        """Send the kept request again with this proof, as the browser would."""
        with current_app.app_context():  # what the host keeps in `g` is of one request
            context = current_app.request_context(_environ(kept, proof))
            with context:
                try:
                    response = current_app.full_dispatch_request()
                except Exception as fault:  # as Flask does for any request
                    response = current_app.handle_exception(fault)
                left, facts = dict(session), dict(vars(session))
                refusal = request.environ.get(REFUSED)
        if dict(session) != left:  # this request is answered last, and must not undo it
            session.clear()
            session.update(left)
        vars(session).update(facts)  # such as a new id of one that is kept on the server
        return Repeated(response=response, refusal=refusal)

    def take_proven(self, action: Action, caller: Caller) -> bool:
        """Whether this browser has just proven this action, to see the page that it asks for."""
        if request.method not in ("GET", "HEAD") or not browser():
            return False
        return self.kept.take_proven(action, browser(), caller)

    def _came_from(self) -> str:
        """The address of the page that sent this request, if it is one of the app to go back to."""
        with suppress(ValueError, HTTPException):
            sender = urlsplit(request.referrer or "")
            path = unquote(sender.path).removeprefix(request.root_path)
            routes = current_app.create_url_adapter(request)
            if routes and sender.netloc == request.host:
                endpoint = routes.match(path, method="GET")[0]
                return "" if endpoint == self.page else address_of(path, sender.query)
        return ""


def browser() -> str:
    """The secret in the cookie of this browser; empty where it has none."""
    return request.cookies.get(COOKIE, "")


def address_of(path: str, query: str) -> str:
    """The address of this path of the app, to lead a browser to; the `query` is as it came.

    It is quoted: browsers leave tabs out, and would read another site in `/<tab>/b.example`.
    """
    address = quote(f"{request.root_path}/{path.lstrip('/')}")
    return f"{address}?{query}" if query else address


def told_of(refusal: Refusal, now: int) -> dict[str, Any]:
    """What the page of the proof tells of a refusal, also when it is looked at later."""
    told = dict(refusal.details)
    if isinstance(refusal, TooManyAttempts):
        wait = refusal.retry_after
        told[OVER] = None if wait is None else now + wait
    return told


def wants_page() -> bool:
    """Whether this request is a browser's for a page: others get the refusal itself."""
    if REPEATS in request.environ:
        return True
    offered = ["application/json", "text/html"]  # of two that are as welcome, the first
    best = request.accept_mimetypes.best_match(offered)
    return best == "text/html" and not request.headers.get("x-2fa-code")


def _kept(gates: Gates, action: Action, told: Mapping[str, Any], back: str) -> Kept:
    kind, body = _body(gates)
    if len(body) > LONGEST:
        raise TooLongToKeep()
    return Kept(
        method=request.method,
        path=request.path,
        query=request.query_string.decode("latin-1"),
        kind=kind,
        body=body,
        action=action,
        told=told,
        back=back,
    )


def _body(gates: Gates) -> tuple[str, bytes]:
    """The content type and the bytes of this request's body."""
    if bodies.KEY in request.environ:
        return request.content_type or "", gates.read_body().raw
    if "form" in vars(request):  # the host has parsed it: the bytes are gone, if it was a form
        if request.files:
            raise TooLongToKeep()
        if pairs := list(request.form.items(multi=True)):
            return bodies.FORM_TYPE, urlencode(pairs).encode()
    return request.content_type or "", request.get_data()


def _environ(kept: Kept, proof: Proof) -> dict[str, Any]:
    ours = {name: value for name, value in request.environ.items() if _carries_over(name)}
    return ours | {
        "REQUEST_METHOD": kept.method,
        "PATH_INFO": kept.path.encode().decode("latin-1"),
        "QUERY_STRING": kept.query,
        "CONTENT_TYPE": kept.kind,
        "CONTENT_LENGTH": str(len(kept.body)),
        "wsgi.input": BytesIO(kept.body),
        PROOF: proof,
        REPEATS: True,
    }


def _carries_over(name: str) -> bool:
    """Whether the repeated request has this, too: its body is read anew."""
    its_own = ("e2ereset.", "werkzeug.request", "flask.", "HTTP_X_2FA", "HTTP_TRANSFER_ENCODING")
    return not name.startswith(its_own)
