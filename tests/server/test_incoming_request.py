"""What a worker knows of a request while it comes: whole, unsound, broken or endless."""

import pytest
from gunicorn.config import Config

from e2ereset.server.incoming_request import IncomingRequest

LIMIT = 1000
POST = b"POST /x HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def incoming():
    return IncomingRequest(Config(), ("127.0.0.1", 1), LIMIT, 0.0)


def states(incoming):
    return incoming.is_ready, incoming.is_sound, incoming.is_broken


def lengthy(length, body=b""):
    return POST + b"Content-Length: %d\r\n\r\n" % length + body


WHOLE = [
    b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
    lengthy(0),
    lengthy(2, b"{}"),
    lengthy(LIMIT, b"x" * LIMIT),
    CHUNKED + b"0\r\n\r\n",
    CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"1 ;a=b\r\n{\r\n1\r\n}\r\n0\r\nA: b\r\n\r\n",
    CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("raw", WHOLE)
@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_a_whole_request_is_ready_with_its_last_byte_and_not_before(incoming, raw, step):
    for at in range(0, len(raw), step):
        assert not incoming.is_ready
        incoming.add(raw[at : at + step])
    assert states(incoming) == (True, True, False)


@pytest.mark.parametrize(
    "rest",
    [
        *(length + b"\r\n" for length in (b"zz", b"0x2", b"1_0", b"-2", b"")),
        b"2\r\n{}xx",
        b"2;\x01\r\n{}\r\n0\r\n\r\n",
        b"0\r\nno trailer\r\n\r\n",
        b"0\r\nA: " + b"b" * 9000,
        b"2" * 9000,
    ],
)
def test_chunks_that_are_none_are_broken(incoming, rest):
    incoming.add(CHUNKED + rest)
    assert states(incoming) == (True, False, True)


@pytest.mark.parametrize("raw", [lengthy(2, b"{}{}"), lengthy(0, b"{}"), WHOLE[5] + b"{}"])
def test_bytes_that_nobody_announced_are_broken(incoming, raw):
    incoming.add(raw)
    assert incoming.is_broken


@pytest.mark.parametrize("raw", [WHOLE[0] + WHOLE[0], lengthy(2, b"{}") + b"\r\n"])
def test_a_second_request_or_an_empty_line_may_follow(incoming, raw):
    incoming.add(raw)
    assert incoming.is_sound


@pytest.mark.parametrize("rest", [b"3e9\r\n", b"1\r\nx\r\n" * 400])
def test_chunks_that_go_on_are_too_long(incoming, rest):
    incoming.add(CHUNKED + rest)
    assert incoming.is_too_long


def test_a_head_that_goes_on_is_too_long(incoming):
    incoming.add(POST + b"x" * incoming.longest_head)
    assert incoming.is_too_long


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /x HTTP/1.1\nHost: h\n\n",
        b"nonsense\r\n\r\n",
        POST + b"Content-Length: x\r\n\r\n",
        lengthy(LIMIT + 1),
    ],
)
def test_a_head_that_is_none_or_says_too_much_goes_to_gunicorn_at_once(incoming, raw):
    incoming.add(raw)
    assert (incoming.is_ready, incoming.is_sound) == (True, False)


def test_chunks_that_add_up_to_too_much_are_whole_and_unsound(incoming):
    incoming.add(CHUNKED + (b"258\r\n" + b"x" * 600 + b"\r\n") * 2 + b"0\r\n\r\n")
    assert states(incoming) == (True, False, False)


def test_the_end_of_the_client_is_the_end(incoming):
    incoming.add(lengthy(5, b"{"))
    incoming.end()
    assert (incoming.is_ready, incoming.is_sound) == (True, False)


def test_a_client_that_waits_to_be_told_is_known(incoming):
    incoming.add(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert incoming.waits_for_continue
    incoming.add(b"{}")
    assert not incoming.waits_for_continue
