"""A body that is cut off, badly framed or unreadable is refused in every route: SPEC 1, K1."""

from io import BytesIO

import pytest
from flask import request

from tests.kit.client import API, RESET

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
ROUTES = [
    ("POST", "users.resetE2EKey"),
    ("POST", "users.2fa.sendEmailCode"),
    ("POST", "e2e.setUserPublicAndPrivateKeys"),
    ("GET", "e2e.fetchMyKeys"),
    ("POST", "login"),
    ("POST", "logout"),
    ("GET", "logout"),
    ("GET", "me"),
    ("GET", "openapi.json"),
    ("GET", "openapi.html"),
]
LIMIT = 1024 * 1024


class Gone(BytesIO):
    """The stream of a client that goes away in the middle, as some servers show it."""

    def read(self, size=-1):
        found = super().read(size)
        if not found:
            raise OSError("the client is gone")
        return found


@pytest.fixture
def send(world, bob):
    """Send these bytes as they are, with the headers and a stream of the test's choice."""

    def send(path="users.resetE2EKey", data=b"", *, method="POST", kind=JSON, gone=None, **over):
        environ = {
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": BytesIO(data) if gone is None else Gone(gone),
        } | overrides(over)
        headers = bob.headers | {"x-2fa-code": world.code(bob)}
        options = {"method": method, "headers": headers, "content_type": kind}
        return world.client.open(API + path, environ_overrides=environ, **options)

    return send


def overrides(named):
    return {name.replace("wsgi_", "wsgi."): value for name, value in named.items()}


def chunked(data, **options):
    """The options of a body that a server takes out of its chunks by itself."""
    coding = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    return {"data": data, "wsgi_input_terminated": True, **coding, **options}


def assert_refused(world, bob, response, status=400):
    assert response.status_code == status, response.data
    assert response.content_type == JSON
    if status == 400:
        assert response.json["errorType"] == "invalid-params"
    assert world.has_key(bob)
    assert world.tokens(bob) == 1


LENGTHS = ("-2", "two", "+2", "2,2", "\N{SUPERSCRIPT TWO}")
BROKEN = {
    "fewer bytes than announced": {"data": b"{}", "CONTENT_LENGTH": "3"},
    "none of the bytes": {"data": b"", "CONTENT_LENGTH": "18"},
    "more bytes than announced": {"data": b"{}{}", "CONTENT_LENGTH": "2"},
    "a client that is gone": {"gone": b"{}", "CONTENT_LENGTH": "18"},
    "a chunk that is cut off": chunked(b"", gone=b"{}"),
    "chunks that nobody takes apart": {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""},
    "two ways of framing": chunked(b"{}", CONTENT_LENGTH="2"),
    "chunks that are packed": chunked(b"{}", HTTP_TRANSFER_ENCODING="gzip, chunked"),
    "no chunks": chunked(b"{}", HTTP_TRANSFER_ENCODING="identity"),
    **{f"a length of {length}": {"data": b"{}", "CONTENT_LENGTH": length} for length in LENGTHS},
    "packed": {"data": b"{}", "HTTP_CONTENT_ENCODING": "gzip"},
    "another charset": {"data": b"{}", "kind": JSON + "; charset=utf-16"},
    "a file": {"data": b"--x--\r\n", "kind": "multipart/form-data; boundary=x"},
    "a text": {"data": b"hello", "kind": "text/plain"},
    "almost the type": {"data": b"{}", "kind": "text/json"},
    "no type": {"data": b"{}", "kind": None},
    "no UTF-8": {"data": b'{"username":"j\xfcrgen"}'},
    "UTF-16": {"data": '{"username":"bob"}'.encode("utf-16")},
    "a byte order mark": {"data": b"\xef\xbb\xbf{}"},
    "NaN": {"data": b'{"username":NaN}'},
    "infinity": {"data": b'{"username":-Infinity}'},
    "nested too deeply": {"data": b'{"a":' * 100_000},
    "lists nested too deeply": {"data": b"[" * 100_000},
    "a key twice, further down": {"data": b'{"user":{"a":1,"a":2}}'},
    "a Latin-1 form": {"data": b"username=j\xfcrgen", "kind": FORM},
    "an escape of Latin-1": {"data": b"username=j%fcrgen", "kind": FORM},
    "half an escape": {"data": b"username=j%f", "kind": FORM},
    "no escape": {"data": b"username=100%", "kind": FORM},
    "half a letter": {"data": b"username=%c3", "kind": FORM},
    "a field twice": {"data": b"username=a&username=a", "kind": FORM},
    "a field without a value": {"data": b"username", "kind": FORM},
    "an empty pair": {"data": b"username=a&&user=b", "kind": FORM},
    "only an empty pair": {"data": b"&", "kind": FORM},
    "too many fields": {"data": b"&".join(b"a%d=" % i for i in range(101)), "kind": FORM},
}


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.long
def test_every_route_refuses_every_broken_body_and_resets_nothing(world, bob, send, method, path):
    for options in BROKEN.values():
        assert_refused(world, bob, send(path, method=method, **options))


@pytest.mark.parametrize(
    "options",
    [
        {"data": b"x" * (LIMIT + 1)},
        {"CONTENT_LENGTH": str(LIMIT + 1)},
        {"CONTENT_LENGTH": "9" * 5000},
        chunked(b"x" * (LIMIT + 1)),
        chunked(b'{"public_key":"' + b"x" * LIMIT),
        chunked(b"private_key=" + b"x" * LIMIT, kind=FORM),
    ],
)
def test_a_body_over_the_limit_is_413_in_every_route(world, bob, send, options):
    for method, path in ROUTES:
        response = send(path, method=method, **options)
        assert_refused(world, bob, response, 413)
        assert response.json == {"success": False, "error": "The request body is too large"}
        assert response.headers["Connection"] == "close"


@pytest.mark.parametrize("what", ["fewer bytes than announced", "a length of two", "no chunks"])
def test_the_connection_ends_where_the_next_request_cannot_be_found(send, what):
    assert send(**BROKEN[what]).headers["Connection"] == "close"


@pytest.mark.parametrize("server", ["waitress", "WSGIServer/0.2 CPython/3.11"])
def test_a_server_that_refuses_the_header_is_not_given_it(send, server):
    broken_body = BROKEN["fewer bytes than announced"] | {"SERVER_SOFTWARE": server}
    assert "Connection" not in send(**broken_body).headers


def test_a_body_that_was_read_keeps_the_connection(send):
    assert "Connection" not in send(data=b"{broken").headers


@pytest.mark.parametrize(
    "options",
    [
        {"kind": None, "CONTENT_LENGTH": ""},
        {},
        {"kind": "text/plain"},
        {"kind": FORM, "HTTP_CONTENT_ENCODING": "gzip"},
        {"CONTENT_LENGTH": "", "wsgi_input_terminated": True},
        chunked(b""),
    ],
)
def test_no_byte_announced_is_an_empty_body(world, bob, send, options):
    assert send(**options).status_code == 200
    assert not world.has_key(bob)


@pytest.mark.parametrize(
    "options",
    [
        {"data": b"{}"},
        {"data": b"username=bob", "kind": FORM},
        {"data": b"username=b%6fb", "kind": FORM + "; charset=UTF-8"},
        {"data": b'{"username":"bob"}', "kind": JSON + '; charset="utf-8"'},
        {"data": b'{"username":"bob"}', "HTTP_CONTENT_ENCODING": "identity"},
        chunked(b'{"username":"bob"}'),
        {"data": b'{"username":"bob"}', "CONTENT_LENGTH": "00018"},
    ],
)
def test_a_whole_body_is_read(world, bob, send, options):
    assert send(**options).status_code == 200
    assert not world.has_key(bob)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"a+b", "a b"),
        (b"a%2Bb", "a+b"),
        (b"a;b=c", "a;b=c"),
        ("\u00fc".encode(), "\u00fc"),
        (b"%C3%BC", "\u00fc"),
    ],
)
def test_a_form_keeps_each_character(world, send, sent, kept):
    form = b"force=true&public_key=PUB&private_key=" + sent
    assert send("e2e.setUserPublicAndPrivateKeys", form, kind=FORM).status_code == 200
    assert send("e2e.fetchMyKeys", method="GET").json["private_key"] == kept


def test_nobody_signed_in_is_401_before_a_broken_body(world):
    response = world.client.post(RESET, data=b"\xff", content_type=FORM)
    assert response.status_code == 401


def test_a_body_on_a_get_that_was_announced_as_empty_is_fine(send):
    assert send("me", method="GET", kind=JSON).status_code == 200


@pytest.fixture
def seen(app):
    """What a hook of the host, which looks at each form, has found in them."""
    found = []

    @app.before_request
    def look():
        found.append(request.form.to_dict())

    return found


def test_a_hook_of_the_host_finds_the_same_bytes(seen, send):
    assert send(data=b"username=bob", kind=FORM).status_code == 200
    assert seen[-1] == {"username": "bob"}


@pytest.mark.parametrize(
    "options",
    [
        {"data": b"username=j\xfcrgen"},
        {"data": b"username=bob", "CONTENT_LENGTH": "60"},
        chunked(b"", gone=b"username=bob"),
    ],
)
def test_a_hook_of_the_host_hides_no_broken_form(seen, world, bob, send, options):
    assert_refused(world, bob, send(kind=FORM, **options))
    assert seen[-1] == {}


def test_chunks_that_the_host_has_taken_are_no_empty_body(app, world, bob, send, monkeypatch):
    class Reading(type(app.session_interface)):
        def open_session(self, app, request):
            assert request.form
            return super().open_session(app, request)

    monkeypatch.setattr(app, "session_interface", Reading())
    assert_refused(world, bob, send(**chunked(b"username=bob", kind=FORM)))


@pytest.fixture
def gated(make_cookie_host):
    """A host with a view behind the gate."""
    return make_cookie_host(MAX_CONTENT_LENGTH=3 * LIMIT)


def knock(host, data=b"", **environ):
    options = {"headers": host.code(), "environ_overrides": overrides(environ)}
    return host.browser.post("/vault", data=data, **options)


def test_a_view_behind_the_gate_finds_its_whole_body(gated):
    sent = b"\xff" * (2 * LIMIT)
    assert knock(gated, sent).status_code == 200
    assert gated.opened == [sent]


@pytest.mark.parametrize("length", ["3", "x"])
def test_a_view_behind_the_gate_is_not_run_for_a_broken_body(gated, length):
    before = gated.audited()
    answer = knock(gated, b"ab", CONTENT_LENGTH=length)
    assert (answer.status_code, answer.json["errorType"]) == (400, "invalid-params")
    assert not gated.opened
    assert gated.audited() == before


def test_a_view_behind_the_gate_keeps_the_hosts_own_limit(gated):
    assert knock(gated, b"x" * (3 * LIMIT + 1)).status_code == 413
    assert not gated.opened


def test_the_proof_for_a_view_is_asked_for_after_its_body(gated):
    class Slow(BytesIO):
        def read(self, size=-1):
            gated.clock.tick(600)
            return super().read(size)

    answer = knock(gated, CONTENT_LENGTH="2", wsgi_input=Slow(b"ab"))
    assert answer.json["errorType"] == "totp-invalid"
