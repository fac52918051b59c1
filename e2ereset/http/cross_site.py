"""Requests from pages of other sites: which are allowed (CORS), and which are refused."""

from dataclasses import dataclass

from flask import Response, request

from e2ereset.errors import CrossSite as CrossSiteRefused
from e2ereset.settings import ANY_ORIGIN, Settings

from . import envelope

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OWN_SITE = ("same-origin", "same-site", "none")
OWN_ORIGIN = ("same-origin", "none")
BY_ITSELF = ("basic", "digest", "negotiate", "ntlm")
"""Schemes of `Authorization` that a browser adds by itself, like a cookie."""
ALLOWED_HEADERS = (
    "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token, Authorization,"
    " x-2fa-code, x-2fa-method"
)
SHOWN_HEADERS = (
    "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id"
)
PREFLIGHT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class CrossSite:
    """What the settings allow to pages of other sites."""

    settings: Settings

    def refuse(self) -> None:
        """Raise CrossSite when a page of another site sent this and the browser added the sign-in.

        The browser tells it by `Sec-Fetch-Site`, else by `Origin`. Other clients are never refused.
        A request without cookies is not refused either, as another site cannot set our headers.
        """
        if self.rides_on_cookie() and self._is_cross_site():
            raise CrossSiteRefused()

    def refuse_changes(self) -> None:
        """`refuse`, for methods that may change something."""
        if request.method not in SAFE_METHODS:
            self.refuse()

    def rides_on_cookie(self) -> bool:
        """Whether the sign-in of this request may be one that a browser adds by itself."""
        scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
        added = "Cookie" in request.headers or scheme in BY_ITSELF
        return added and self.settings.cookie_sign_in

    def is_own_origin(self) -> bool:
        """Whether no page of another origin sent this request, not even one of a subdomain.

        For forms on pages of ours, with a cookie or without: also a sign-in is not for others to
        send, not even for a page of an origin that the settings allow.
        """
        site = request.headers.get("Sec-Fetch-Site")
        return site in OWN_ORIGIN if site is not None else _is_of_our_host()

    def preflight(self) -> Response | None:
        """204 for a CORS preflight from an allowed origin; None for any other request."""
        if request.method != "OPTIONS" or not self._allowed_origin():
            return None
        response = envelope.answer(204, {})
        response.data = b""
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response

    def allow_origin(self, response: Response) -> Response:
        """Let the page of an allowed origin read this answer, even an error."""
        if self.settings.cors_origins:
            response.vary.add("Origin")
        if origin := self._allowed_origin():
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = SHOWN_HEADERS
        return response

    def _allowed_origin(self) -> str | None:
        """Whose pages may read this answer: the origin that asks, if it is named, else `*`."""
        if named := self._named_origin():
            return named
        anyone = ANY_ORIGIN in self.settings.cors_origins and "Origin" in request.headers
        return ANY_ORIGIN if anyone else None

    def _named_origin(self) -> str | None:
        origin = request.headers.get("Origin")
        return origin if origin != ANY_ORIGIN and origin in self.settings.cors_origins else None

    def _is_cross_site(self) -> bool:
        site = request.headers.get("Sec-Fetch-Site")
        if self._named_origin():  # `*` is for sign-ins in headers: it trusts nobody with a cookie
            return False
        return site not in OWN_SITE if site is not None else not _is_of_our_host()


def _is_of_our_host() -> bool:
    """Whether the page that sent this is of our host, or no browser said of which it is."""
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    # Werkzeug gives an empty text for a host such as `my_app`, which is that of `null`, too.
    host, sender = request.host or request.headers.get("Host", ""), origin.partition("://")[2]
    return bool(sender) and _without_port(sender) == _without_port(host)


def _without_port(host: str) -> str:
    # Behind a proxy that ends TLS we do not know which default port was used.
    return host.lower().removesuffix(":443").removesuffix(":80")
