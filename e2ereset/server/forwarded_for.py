"""The caller's address behind reverse proxies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from e2ereset.addresses import read_address

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Proxied:
    """A WSGI app behind `hops` proxies, each of which adds an address to `X-Forwarded-For`.

    The address counted from the right by so many is the caller's; where there is none, or what
    stands there is no address, it stays that of the socket. werkzeug's ProxyFix takes any text, and
    splits as in quoted strings: a quote that the client sends would hide what a proxy adds to it.
    """

    def __init__(self, app: WSGIApplication, hops: int) -> None:
        self._app = app
        self._hops = hops

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the request, its REMOTE_ADDR put right."""
        given = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(given) >= self._hops:
            seen = read_address(given[-self._hops])
            environ["REMOTE_ADDR"] = seen or environ.get("REMOTE_ADDR", "")
        return self._app(environ, start_response)
