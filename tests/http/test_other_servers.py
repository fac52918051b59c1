"""Broken bodies over sockets of WSGI servers that are not gunicorn: K1."""

import socket
from contextlib import closing
from wsgiref.simple_server import WSGIRequestHandler
from wsgiref.simple_server import make_server as make_wsgiref

import pytest
from werkzeug.serving import make_server as make_werkzeug

from tests.kit.client import RESET
from tests.kit.network import serving

pytestmark = pytest.mark.long


class Silent(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_message(self, *args):
        pass


@pytest.fixture(params=["werkzeug", "wsgiref"])
def ask(request, app, world, bob):
    """The first line of the answer to a reset by bob with these header lines and bytes."""
    if request.param == "werkzeug":
        server = make_werkzeug("127.0.0.1", 0, app)
        server.log = lambda *_: None
    else:
        server = make_wsgiref("127.0.0.1", 0, app, handler_class=Silent)

    def ask(*lines, body=b""):
        headers = bob.headers | {"x-2fa-code": world.code(bob), "Content-Type": "application/json"}
        names = [f"{name}: {value}" for name, value in headers.items()]
        head = [f"POST {RESET} HTTP/1.1", "Host: localhost", *names, *lines, "", ""]
        with closing(socket.create_connection(server.server_address, timeout=10)) as sock:
            sock.sendall("\r\n".join(head).encode() + body)
            sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(65536), b"")).split(b"\r\n")[0]

    with serving(server):
        yield ask


@pytest.mark.parametrize(
    ("lines", "body", "status"),
    [
        (["Content-Length: 18"], b"", 400),
        (["Content-Length: 18"], b"{", 400),
        (["Content-Length: -2"], b"{}", 400),
        (["Content-Length: 2000000"], b"{}", 413),
        (["Transfer-Encoding: chunked"], b"zz\r\n{}\r\n0\r\n\r\n", 400),
        (["Transfer-Encoding: chunked"], b"5\r\n{}", 400),
        (["Transfer-Encoding: gzip"], b"{}", 400),
    ],
)
def test_a_broken_body_is_refused_and_nothing_is_done(ask, world, bob, lines, body, status):
    assert f" {status} ".encode() in ask(*lines, body=body)
    assert world.has_key(bob)


@pytest.mark.parametrize("lines", [[], ["Content-Length: 0"]])
def test_no_byte_announced_is_an_own_reset(ask, world, bob, lines):
    assert b" 200 " in ask(*lines)
    assert not world.has_key(bob)
