"""The shipped nginx.conf before a real server: no redirect, JSON only, and bodies come whole."""

import shutil

import pytest

from tests.kit.client import ME, RESET
from tests.kit.live import make_live
from tests.kit.nginx import Nginx
from tests.kit.wire import ask_raw, assert_enveloped, open_socket

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx"),
]


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """An nginx in front of a server, and what signs bob's requests."""
    settings = {"FLASK_E2ERESET_SERVER_PROXY_HOPS": "1"}
    with make_live(tmp_path_factory.mktemp("behind"), settings=settings) as live:
        front = Nginx(tmp_path_factory.mktemp("front"), f"127.0.0.1:{live.port}")
        front.live, front.signs = live, live.user("bob").headers
        with front.running():
            yield front


def request(method, path, *lines, headers=(), body=b""):
    names = [f"{n}: {v}" for n, v in dict(headers).items()]
    head = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *names, *lines, "", ""]
    return "\r\n".join(head).encode() + body


@pytest.mark.parametrize("path", ["/api/v1//users.resetE2EKey", "/api//v1/users.resetE2EKey"])
def test_a_doubled_slash_is_no_redirect_to_http(front, path):
    assert_enveloped(ask_raw(front.port, request("POST", path, headers=front.signs)), 404)


def test_a_request_passes(front):
    assert_enveloped(ask_raw(front.port, request("GET", ME, headers=front.signs)), 200)


def test_a_cut_body_resets_nothing(front):
    lines = ["Content-Type: application/json", "Content-Length: 18"]
    raw = request("POST", RESET, *lines, headers=front.signs)
    with open_socket(front.port) as sock:
        sock.sendall(raw)
    keys = front.live.call("GET", "/api/v1/e2e.fetchMyKeys", front.signs)
    assert keys.body["public_key"] == "PUB"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (request("POST", RESET, "Content-Length: 2000000"), 413),
        (request("GET", ME, "X: " + "x" * 40_000), 400),
        (request("GET", "/" + "x" * 40_000), 414),
        (request("POST", RESET, "Content-Length: x"), 400),
        (request("POST", RESET, "Transfer-Encoding: chunked", body=b"zz\r\n"), 400),
    ],
)
def test_what_nginx_refuses_is_in_the_envelope(front, raw, status):
    assert_enveloped(ask_raw(front.port, raw), status)


def test_a_server_that_is_gone_is_503_in_the_envelope(front):
    front.live.stop()
    assert_enveloped(ask_raw(front.port, request("GET", ME)), 503)
    front.live.start()
