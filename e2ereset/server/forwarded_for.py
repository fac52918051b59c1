"""The caller's address behind reverse proxies."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from e2ereset.addresses import read_address


class Proxied:
    """A WSGI app behind `hops` proxies, each of which adds an address to `X-Forwarded-For`.

    The caller's address is that many from the right. Where the header has none there, or no valid
    one, the socket's address stays. werkzeug's ProxyFix does not fit: it takes any text as an
    address, and a quote that the client sends would hide what the proxies add.
    """

    def __init__(self, app: WSGIApplication, hops: int) -> None:
        self._app = app
        self._hops = hops

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the request with the caller's own REMOTE_ADDR."""
        given = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(given) >= self._hops:
            seen = read_address(given[-self._hops])
            environ["REMOTE_ADDR"] = seen or environ.get("REMOTE_ADDR", "")
        return self._app(environ, start_response)
