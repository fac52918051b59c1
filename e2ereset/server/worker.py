"""gunicorn's threaded worker, changed: a thread gets a request only after all of it has arrived.

The threads of gunicorn's own worker read from the client: as many slow clients as there are
threads stop it. Here the loop that accepts connections collects the bytes, under a deadline, and
lingers on connections that end, so that a slow client costs a socket and a little memory.
"""

import socket
import ssl
import struct
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from time import monotonic
from typing import Any

from flask import Response
from gunicorn.http import errors
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from e2ereset.errors import InvalidParams
from e2ereset.http import bodies, envelope

from .incoming_request import IncomingRequest

PIECE = 64 * 1024
LINGER_SECONDS = 2.0
LINGER_BYTES = 8 * 1024 * 1024
SOCKET_SECONDS = 5
"""How long a thread waits on a socket at most. It rarely waits, as its request has arrived."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
STATUS: dict[type[Exception], tuple[int, str]] = {
    errors.LimitRequestLine: (414, "The request line is too long"),
    errors.LimitRequestHeaders: (431, "The request headers are too long"),
    errors.ExpectationFailed: (417, "The expectation cannot be met"),
    errors.ForbiddenProxyRequest: (403, "Forbidden"),
}
OURS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)


class WholeRequests(ThreadWorker):  # type: ignore[misc]
    """The worker class for gunicorn: `worker_class = "e2ereset.server.worker.WholeRequests"`."""

    head_seconds = 10.0
    body_seconds = 30.0
    longest_body = 1024 * 1024
    most_bytes = 32 * 1024 * 1024
    """Most bytes of unfinished requests that are kept. Over it, the longest request is refused."""

    def init_process(self) -> None:
        """Set up our own state, then serve until the worker ends."""
        self.incoming: dict[Any, IncomingRequest] = {}
        self.lingering: dict[Any, tuple[float, int]] = {}
        self.held = 0
        """How many bytes of unfinished requests there are."""
        self.next_look = 0.0
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        """Collect the request; a thread gets it when it is complete."""
        if self.cfg.is_ssl or conn.is_http2:  # TLS usually ends in a proxy, which collects too
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        _limit_waits(conn.sock)
        deadline = monotonic() + self.head_seconds
        request = IncomingRequest(self.cfg, conn.client, self.longest_body, deadline)
        self.incoming[conn] = request
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_bytes, conn))
        if conn.parser:
            self._take(conn, conn.parser.unreader.take_buffered())

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer. Close the connection where the request was not sound."""
        if hasattr(conn, "is_sound"):
            req._expected_100_continue = False  # the body is here, or is not wanted
            req.must_close = req.must_close or not conn.is_sound
        return super().handle_request(req, conn)

    def handle_error(self, _req: Any, client: Any, _addr: Any, exc: Exception) -> None:
        """Answer in our envelope what gunicorn refuses; log nothing that the client sent."""
        if isinstance(exc, errors.ParseException | ssl.SSLError) and not isinstance(exc, OURS):
            self.log.info("Refused a request: %s", type(exc).__name__)
            write_nonblock(client, _on_the_wire(_refusal(exc)))
        else:
            self.log.error("Answered 503 for %s", type(exc).__name__, exc_info=exc)
            write_nonblock(client, _on_the_wire(envelope.unavailable()))

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Keep the connection, or close our side without waiting for the client."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def murder_pending(self) -> None:
        """Refuse or close what has taken too long."""
        super().murder_pending()
        now = monotonic()
        if now < self.next_look:
            return
        self.next_look = now + 0.5
        for conn in [c for c, request in self.incoming.items() if request.deadline < now]:
            if self.incoming[conn].data:
                self._refuse(conn, _failure(408, "The request took too long"))
            else:
                self._drop(conn)
        for conn in [c for c, (deadline, _) in self.lingering.items() if deadline < now]:
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for request in self.incoming.values():  # the worker ends soon
            request.deadline = min(request.deadline, deadline)

    def _on_bytes(self, conn: Any, _sock: socket.socket) -> None:
        if conn not in self.incoming:
            return
        try:
            piece = conn.sock.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            self._drop(conn)
            return
        if piece:
            self._take(conn, piece)
        elif self.incoming[conn].data:
            self.incoming[conn].end()
            self._hand_over(conn)
        else:
            self._drop(conn)

    def _take(self, conn: Any, piece: bytes) -> None:
        request = self.incoming[conn]
        had_head = request.head is not None
        request.add(piece)
        self.held += len(piece)
        if request.is_broken:
            self._refuse(conn, envelope.failure(InvalidParams(bodies.CUT)))
        elif request.is_too_long:
            self._refuse(conn, _too_long(request))
        elif request.is_ready:
            self._hand_over(conn)
        elif request.head is not None and not had_head:
            request.deadline = monotonic() + self.body_seconds
            if request.waits_for_continue:
                _send(conn.sock, CONTINUE)
        self._shed()

    def _shed(self) -> None:
        """Refuse the longest unfinished request when all of them together hold too many bytes."""
        most = max(self.most_bytes, 4 * self.longest_body)
        if self.held > most:
            longest = max(self.incoming, key=lambda conn: len(self.incoming[conn].data))
            self._refuse(longest, envelope.unavailable())

    def _hand_over(self, conn: Any) -> None:
        request = self._forget(conn)
        conn.init()
        conn.parser.unreader.unread(bytes(request.data))
        conn.data_ready, conn.is_sound = True, request.is_sound
        super().enqueue_req(conn)

    def _refuse(self, conn: Any, response: Response) -> None:
        self._forget(conn)
        self.log.info("Refused a request: %s", response.status)
        _send(conn.sock, _on_the_wire(response))
        self._linger(conn)

    def _linger(self, conn: Any) -> None:
        """Close our side and keep reading: a TCP reset could cost the client its answer."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.nr_conns -= 1
            conn.close()
            return
        self.lingering[conn] = (monotonic() + LINGER_SECONDS, 0)
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_leftover, conn))

    def _on_leftover(self, conn: Any, _sock: socket.socket) -> None:
        if conn not in self.lingering:
            return
        deadline, drained = self.lingering[conn]
        try:
            piece = conn.sock.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self.lingering[conn] = (deadline, drained + len(piece))
        if not piece or drained > LINGER_BYTES:
            self._drop(conn)

    def _forget(self, conn: Any) -> IncomingRequest:
        self.poller.unregister(conn.sock)
        request = self.incoming.pop(conn)
        self.held -= len(request.data)
        return request

    def _drop(self, conn: Any) -> None:
        if conn in self.incoming:
            self._forget(conn)
        else:
            del self.lingering[conn]
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()


def _limit_waits(sock: socket.socket) -> None:
    seconds = struct.pack("ll", SOCKET_SECONDS, 0)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, seconds)


def _refusal(exc: Exception) -> Response:
    for kind, answer in STATUS.items():
        if isinstance(exc, kind):
            return _failure(*answer)
    return envelope.failure(InvalidParams("The request is not well-formed HTTP"))


def _too_long(request: IncomingRequest) -> Response:
    if request.head is None:
        return _failure(*STATUS[errors.LimitRequestHeaders])
    return _failure(413, envelope.HTTP_WORDS[413])


def _failure(status: int, words: str) -> Response:
    return envelope.answer(status, {"success": False, "error": words})


def _on_the_wire(response: Response) -> bytes:
    headers: Iterable[tuple[str, str]] = [*response.headers.items(), ("Connection", "close")]
    lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + response.get_data()


def _send(sock: socket.socket, data: bytes) -> None:
    """Send without waiting. A client that does not read loses the rest."""
    try:
        sock.send(data)
    except OSError:
        return
