"""The pages on an address of their own, beside the app.

The socket is opened once, before the workers are forked, and each worker answers on it in a
thread: so an answer always tells of a worker, it comes while all request threads are busy, and
nothing of the database is ever shared over a fork.
"""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from .endpoints import Operations

BACKLOG = 64
OPEN: list[socket.socket] = []
"""The sockets of this process and its parent; gunicorn forgets what its conf holds at a reload."""


def open_listener(bind: str) -> socket.socket:
    """Listen on `address:port`, for `serve_all`. Raises OSError when that is not to be had."""
    parts = urlsplit(f"//{bind}")
    host, port = parts.hostname or "", parts.port or 0
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # Several workers wake for one connection; those that come late must not wait for the next.
    listener.setblocking(False)
    OPEN.append(listener)
    return listener


def serve_all(operations: Operations) -> None:
    """Answer on all sockets that were opened, in this process."""
    for listener in OPEN:
        serve(listener, operations)


def serve(listener: socket.socket, operations: Operations) -> ThreadingHTTPServer:
    """Answer on this socket in a daemon thread of this process, until `shutdown`."""
    server = _Server(listener, operations)
    Thread(target=server.serve_forever, name="e2ereset-operations", daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    """A server on a socket that others may answer on too."""

    def __init__(self, listener: socket.socket, operations: Operations) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()  # the one that the base class made
        self.socket = listener
        self.operations = operations


class _Handler(BaseHTTPRequestHandler):
    """One request, whose client gets a few seconds to send it."""

    server: _Server
    timeout = 5

    def do_GET(self) -> None:
        """Answer with the page, or 404."""
        page = self.server.operations.page(self.path)
        if page is None:
            self.send_error(404)
            return
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(page.body)

    def version_string(self) -> str:
        """Not which Python this is."""
        return "e2ereset"

    def log_message(self, *_args: object) -> None:
        """Nothing: a scrape every few seconds is no news."""
