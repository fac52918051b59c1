"""/livez, /readyz and /metrics on an address of their own, beside the app.

The socket is opened once, before gunicorn forks its workers. Each worker answers on it in threads
of its own, so an answer shows that a worker lives, and it comes while all request threads are busy.
"""

import socket
from threading import Thread
from urllib.parse import urlsplit

from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from .endpoints import Operations

BACKLOG = 64
OPEN: list[socket.socket] = []
"""The sockets of this process and its parent. gunicorn runs its conf again at a reload, and would
forget them there."""


def open_listener(bind: str) -> socket.socket:
    """Listen on `address:port`, for `serve_all`. Raises OSError when that is not to be had."""
    parts = urlsplit(f"//{bind}")
    host, port = parts.hostname or "", parts.port or 0
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # All workers wake for one connection: those that come late must not wait for the next one.
    listener.setblocking(False)
    OPEN.append(listener)
    return listener


def serve_all(operations: Operations) -> None:
    """Answer on all sockets that were opened, in this process."""
    for listener in OPEN:
        serve(listener, operations)


def serve(listener: socket.socket, operations: Operations) -> BaseWSGIServer:
    """Answer on this socket in a daemon thread of this process, until `shutdown`."""

    @Request.application
    def answer(request: Request) -> Response:
        """The endpoint of this path, and nothing of the app."""
        if request.method != "GET":
            return Response(status=501)
        return operations.answer(request.path) or Response(status=404)

    host, port = listener.getsockname()[:2]
    server = make_server(
        host, port, answer, threaded=True, request_handler=_Handler, fd=listener.fileno()
    )
    Thread(target=server.serve_forever, name="e2ereset-operations", daemon=True).start()
    return server


class _Handler(WSGIRequestHandler):
    """One request, whose client has 5 seconds for each part of it."""

    timeout = 5
    protocol_version = "HTTP/1.0"

    def version_string(self) -> str:
        """Not which Python and werkzeug these are."""
        return "e2ereset"

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: an operator's program asks every few seconds."""
