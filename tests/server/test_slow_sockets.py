"""Under gunicorn 2x4: slow clients stop nobody, and what is framed badly is 400 and the end: K2."""

import time
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPResponse

import pytest

from tests.kit.client import ME, RESET
from tests.kit.live import make_live
from tests.kit.wire import ask_raw, assert_enveloped, open_socket, read_all

pytestmark = pytest.mark.slow

SOCKETS = 24
QUICK = 2  # seconds; a few hundredths on an idle machine, and for ever where threads are held
HEAD = f"POST {RESET} HTTP/1.1\r\nHost: x\r\n".encode()
LENGTH = b"Content-Length: 100\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A server that gives a client 2 seconds for a head and 2 more for a body."""
    settings = {"HEAD_SECONDS": "2", "BODY_SECONDS": "2"}
    with make_live(tmp_path_factory.mktemp("slow"), settings=settings) as live:
        live.signs = live.user("bob").headers
        yield live


@contextmanager
def connections(live, number):
    """So many connections, open until the end of the block."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_socket(live.port)) for _ in range(number)]


def signed(live, *lines, body=b""):
    """The bytes of a reset by bob with a password that is wrong anyway."""
    names = [*(f"{n}: {v}" for n, v in live.signs.items()), "Content-Type: application/json"]
    return HEAD + "\r\n".join([*names, *lines, "", ""]).encode() + body


def assert_last(answer, status):
    """It is in the envelope, and tells that the connection ends; its body."""
    headers, body = assert_enveloped(answer, status)
    assert headers["connection"] == "close"
    return body


def assert_bad(answer):
    assert assert_last(answer, 400)["errorType"] == "invalid-params"


def get_me(live):
    """The bytes of a GET of /me but for its last line."""
    names = "".join(f"{n}: {v}\r\n" for n, v in live.signs.items())
    return f"GET {ME} HTTP/1.1\r\nHost: x\r\n{names}".encode()


def slowest(live, seconds):
    """The longest that `/me` took, asked for as long as that."""
    worst, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        assert live.call("GET", ME, live.signs).status == 200
        worst = max(worst, time.monotonic() - began)
        time.sleep(0.02)
    return worst


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"G",
        HEAD,
        HEAD + LENGTH,
        HEAD + LENGTH + b"{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n{",
        b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)
def test_slow_sockets_stop_nobody(live, start):
    with connections(live, SOCKETS) as socks:
        for sock in socks:
            sock.sendall(start)
        assert slowest(live, 1.5) < QUICK


def test_the_owner_resets_a_key_meanwhile(live):
    amy = live.user("amy", totp=True)
    with connections(live, SOCKETS) as socks:
        for number, sock in enumerate(socks):
            sock.sendall(HEAD + (LENGTH + b"{") * (number % 2))
        began = time.monotonic()
        assert live.reset(amy, code=amy.totp.at(int(time.time()) + 30)).status == 200
        assert time.monotonic() - began < QUICK


def test_sockets_that_drip_stop_nobody_and_are_ended(live):
    with connections(live, SOCKETS) as socks:
        for sock in socks:
            sock.sendall(HEAD + LENGTH)
        for _ in range(8):
            for sock in socks:
                with suppress(OSError):
                    sock.send(b"{")
            assert slowest(live, 0.5) < QUICK
        for sock in socks:
            assert b"HTTP/1.1 408 " in read_all(sock)


def test_unfinished_bodies_take_a_bounded_part_of_the_memory(live):
    almost = signed(live, "Content-Length: 1000001", body=b"x" * 1_000_000)
    with connections(live, 80) as socks:
        for sock in socks:
            with suppress(OSError):
                sock.sendall(almost)
        assert slowest(live, 0.5) < QUICK
        answers = [read_all(sock) for sock in socks]
    for status in (b"503", b"408"):
        assert any(b"HTTP/1.1 %s " % status in answer for answer in answers)


def test_a_head_that_never_ends_is_408_in_the_envelope(live):
    said = assert_last(ask_raw(live.port, HEAD), 408)
    assert said == {"success": False, "error": "The request took too long"}


@pytest.mark.parametrize(
    "body",
    [
        *(length + b"\r\n{}\r\n0\r\n\r\n" for length in (b"zz", b"2 2")),
        b"2\r\n{}0\r\n\r\n",
        b"F" * 40 + b"\r\n{}",
        b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_chunks_that_are_none_are_400_and_end_the_connection(live, body):
    assert_bad(ask_raw(live.port, signed(live, CHUNKED, body=body)))
    assert "Traceback" not in live.log.read_text()


@pytest.mark.parametrize(
    ("line", "body"),
    [
        *(("Content-Length: 18", body) for body in (b"", b"{}")),
        *((CHUNKED, b"2\r\n{}\r\n" + rest) for rest in (b"", b"5\r\n{}", b"0\r\n")),
        (CHUNKED, b""),
    ],
)
def test_a_body_that_is_cut_off_is_400_and_ends_the_connection(live, line, body):
    assert_bad(ask_raw(live.port, signed(live, line, body=body), half_close=True))


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["Content-Length: 2"], b"{}{}"),
        ([], b"{}"),
        (["Content-Length: 2", CHUNKED], b"2\r\n{}\r\n0\r\n\r\n"),
        (["Content-Length: 2", "Content-Length: 2"], b"{}"),
        *(([f"Content-Length: {length}"], b"{}") for length in ("-2", "2,2")),
        *(([f"Transfer-Encoding: {coding}"], b"{}") for coding in ("identity", "gzip")),
        (["Transfer-Encoding: chunked, chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
        (["Transfer-Encoding: br, chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
        (["No colon"], b""),
    ],
)
def test_a_request_that_can_be_read_two_ways_is_400(live, lines, body):
    assert_bad(ask_raw(live.port, signed(live, *lines, body=body)))


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (HEAD + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (HEAD + b"".join(b"X%d: 1\r\n" % i for i in range(70)) + b"\r\n", 431),
        (HEAD + b"X: " + b"x" * 600_000, 431),
        (HEAD + b"Expect: magic\r\n\r\n", 417),
        (b"\r\n\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400),
    ],
)
def test_a_head_that_gunicorn_refuses_is_answered_in_the_envelope(live, raw, status):
    assert_last(ask_raw(live.port, raw), status)


@pytest.mark.parametrize(
    "sent",
    [
        ["Content-Length: 1500000", b"x" * 1_500_000],
        [CHUNKED, b"%x\r\n" % 1_500_000 + b"x" * 1_500_000 + b"\r\n0\r\n\r\n"],
        [CHUNKED, (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 48 + b"0\r\n\r\n"],
        [CHUNKED, b"FFFFFFF0\r\nx"],
        ["Content-Length: 1500000", "Expect: 100-continue", b""],
    ],
)
def test_a_body_over_the_limit_is_413_and_says_that_the_connection_ends(live, sent):
    *lines, body = sent
    said = assert_last(ask_raw(live.port, signed(live, *lines, body=body)), 413)
    assert said == {"success": False, "error": "The request body is too large"}


def test_a_client_that_waits_to_be_told_is_told(live):
    raw = signed(live, "Content-Length: 2", "Expect: 100-continue", "Connection: close")
    with open_socket(live.port) as sock:
        sock.sendall(raw)
        assert sock.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(b"{}")
        assert b"HTTP/1.1 400 " in read_all(sock)


@pytest.mark.parametrize("pause", [0, 0.01])
def test_a_request_that_comes_in_pieces_is_served_and_the_connection_kept(live, pause):
    raw = get_me(live) + b"\r\n"
    with open_socket(live.port) as sock:
        for _ in range(2):
            for at in range(0, len(raw), 16):
                sock.sendall(raw[at : at + 16])
                time.sleep(pause)
            answer = HTTPResponse(sock)
            answer.begin()
            assert (answer.status, answer.headers["Connection"]) == (200, "keep-alive")
            assert answer.read()


def test_two_requests_at_once_are_both_answered(live):
    raw = get_me(live)
    with open_socket(live.port) as sock:
        sock.sendall(raw + b"\r\n" + raw + b"Connection: close\r\n\r\n")
        assert read_all(sock).count(b"HTTP/1.1 200 ") == 2


def test_a_slow_client_does_not_hold_up_the_end(tmp_path):
    """A worker waits half a minute for what it is answering, not for what has not come."""
    slow = {"HEAD_SECONDS": "60"}
    with make_live(tmp_path, settings=slow) as live, open_socket(live.port) as sock:
        sock.sendall(HEAD)
        live.cli("permission", "list")  # gunicorn loses a signal that comes right after its start
        began = time.monotonic()
        live.stop()
        assert time.monotonic() - began < 25
