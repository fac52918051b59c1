"""Clients on the wire: `rocketchat_API` unmodified, and the habits of the others."""

import http.client
import json
import threading
from contextlib import closing

import pytest
from rocketchat_API.APIExceptions.RocketExceptions import (
    RocketApiException,
    RocketAuthenticationException,
)
from rocketchat_API.rocketchat import RocketChat
from werkzeug import serving

from tests.kit.client import API, LOGIN, ME, RESET
from tests.kit.world import sha256

PASSWORD = "correct horse"
LOGOUT = API + "logout"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def address(app):
    """Where the server listens, on a real socket."""
    server = serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bob(world):
    return world.person("bob", password=PASSWORD)


@pytest.fixture
def rocket(address, bob):
    """`rocketchat_API`, signed in as bob by its own login."""
    rocket = RocketChat("bob", PASSWORD, server_url=f"http://{address}")
    yield rocket
    rocket.session.close()


@pytest.fixture
def send(address):
    """Sends exactly these headers and no body; (status, headers, parsed body)."""

    def send(method, path, headers):
        with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.headers, json.loads(answer.read())

    return send


def with_code(rocket, method, code):
    rocket.headers |= {"x-2fa-method": method, "x-2fa-code": code}


def test_rocketchat_api_signs_in_by_address(address, bob):
    rocket = RocketChat("bob@x.org", PASSWORD, server_url=f"http://{address}")
    assert rocket.headers["X-User-Id"] == bob.id
    rocket.session.close()


def test_rocketchat_api_takes_a_wrong_password_for_what_it_is(address, bob):
    rocket = RocketChat(server_url=f"http://{address}")
    with pytest.raises(RocketAuthenticationException):
        rocket.login("bob", "wrong")
    rocket.session.close()


def test_rocketchat_api_sets_keys(rocket):
    keys = {"public_key": "PUB", "private_key": "WRAPPED", "force": True}
    rocket.call_api_post("e2e.setUserPublicAndPrivateKeys", **keys)
    assert rocket.call_api_get("e2e.fetchMyKeys")["private_key"] == "WRAPPED"


def test_rocketchat_api_is_challenged(rocket, world, bob):
    with pytest.raises(RocketApiException) as caught:
        rocket.call_api_post("users.resetE2EKey")
    assert caught.value.error_type == "totp-required"
    assert world.has_key(bob)


def test_rocketchat_api_resets_with_the_password_and_signs_in_again(rocket, world, bob):
    with_code(rocket, "password", sha256(PASSWORD))
    assert rocket.call_api_post("users.resetE2EKey") == {"success": True}
    assert not world.has_key(bob)
    with pytest.raises(RocketApiException) as caught:
        rocket.call_api_get("me")
    assert caught.value.status_code == 401
    rocket.login("bob", PASSWORD)  # over its dead headers
    assert rocket.call_api_get("me")["_id"] == bob.id


def test_rocketchat_api_resets_with_a_totp_code(address, world):
    eve = world.person("eve", totp=True)
    rocket = RocketChat(
        auth_token=eve.headers["X-Auth-Token"], user_id=eve.id, server_url=f"http://{address}"
    )
    with_code(rocket, "totp", world.code(eve))
    assert rocket.call_api_post("users.resetE2EKey") == {"success": True}
    rocket.session.close()


def test_rocketchat_api_logs_out(rocket):
    assert rocket.logout()["status"] == "success"
    with pytest.raises(RocketApiException):
        rocket.call_api_get("me")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("headers", [{}, JSON, JSON | {"Content-Length": "0"}])
def test_a_logout_ends_the_sign_in(send, bob, method, headers):
    status, _, answer = send(method, LOGOUT, bob.headers | headers)
    assert (status, answer["status"]) == (200, "success")
    assert isinstance(answer["data"], dict)
    assert send("GET", ME, bob.headers)[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "signed_in"),
    [
        ("GET", ME, True),
        ("GET", ME, False),
        ("POST", RESET, True),
        ("POST", RESET, False),
        ("POST", LOGIN, False),
        ("GET", API + "nothing-here", True),
        ("GET", "/websocket", False),
        ("PUT", RESET, True),
        ("POST", LOGOUT, True),
    ],
)
def test_every_answer_is_exactly_json_and_says_success_as_a_boolean(
    send, bob, method, path, signed_in
):
    status, headers, answer = send(method, path, bob.headers if signed_in else {})
    assert headers.get_all("Content-Type") == ["application/json"]
    assert answer["success"] is (status == 200)
