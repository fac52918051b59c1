"""Clients on the wire: `rocketchat_API` unmodified, and the habits of the others."""

import pytest
from rocketchat_API.APIExceptions.RocketExceptions import (
    RocketApiException,
    RocketAuthenticationException,
)
from rocketchat_API.rocketchat import RocketChat
from werkzeug.serving import make_server as make_wsgi

from tests.kit.client import API, LOGIN, ME, RESET, Client
from tests.kit.network import serving
from tests.kit.pages import browser_of
from tests.kit.passkeys import SETTINGS as PASSKEY_SETTINGS
from tests.kit.passkeys import add as add_passkey
from tests.kit.passkeys import code_for
from tests.kit.world import sha256

PASSWORD = "correct horse"
LOGOUT = API + "logout"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def port(app):
    """Where the server listens, on a real socket."""
    with serving(make_wsgi("127.0.0.1", 0, app, threaded=True)) as server:
        yield server.port


@pytest.fixture
def url(port):
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def bob(world):
    return world.person("bob", password=PASSWORD)


@pytest.fixture
def rocket(url, bob):
    """`rocketchat_API`, signed in as bob by its own login."""
    rocket = RocketChat("bob", PASSWORD, server_url=url)
    yield rocket
    rocket.session.close()


@pytest.fixture
def call(port):
    return Client(port).call


def with_code(rocket, method, code):
    rocket.headers |= {"x-2fa-method": method, "x-2fa-code": code}


def test_rocketchat_api_signs_in_by_address(url, bob):
    rocket = RocketChat("bob@x.org", PASSWORD, server_url=url)
    assert rocket.headers["X-User-Id"] == bob.id
    rocket.session.close()


def test_rocketchat_api_takes_a_wrong_password_for_what_it_is(url, bob):
    rocket = RocketChat(server_url=url)
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


def test_rocketchat_api_resets_with_the_code_that_a_page_shows(make_server, config, world):
    world = world.through(make_server(config | PASSKEY_SETTINGS))
    person = world.person("pat", password=PASSWORD)
    key = add_passkey(browser_of(world, person), code=PASSWORD)
    world.clock.tick(1)
    with serving(make_wsgi("127.0.0.1", 0, world.app, threaded=True)) as server:
        rocket = RocketChat(server_url=f"http://127.0.0.1:{server.port}")
        rocket.headers |= world.again(person).headers
        with pytest.raises(RocketApiException) as caught:
            rocket.call_api_post("users.resetE2EKey")
        assert caught.value.error_type == "totp-required"
        rocket.headers["x-2fa-code"] = code_for(browser_of(world, person), key)
        assert rocket.call_api_post("users.resetE2EKey") == {"success": True}
        rocket.session.close()
    assert not world.has_key(person)


def test_rocketchat_api_resets_with_the_password_and_signs_in_again(rocket, world, bob):
    with_code(rocket, "password", sha256(PASSWORD))
    assert rocket.call_api_post("users.resetE2EKey") == {"success": True}
    assert not world.has_key(bob)
    with pytest.raises(RocketApiException) as caught:
        rocket.call_api_get("me")
    assert caught.value.status_code == 401
    rocket.login("bob", PASSWORD)  # over its dead headers
    assert rocket.call_api_get("me")["_id"] == bob.id


def test_rocketchat_api_resets_with_a_totp_code(url, world):
    eve = world.person("eve", totp=True)
    rocket = RocketChat(auth_token=eve.headers["X-Auth-Token"], user_id=eve.id, server_url=url)
    with_code(rocket, "totp", world.code(eve))
    assert rocket.call_api_post("users.resetE2EKey") == {"success": True}
    rocket.session.close()


def test_rocketchat_api_logs_out(rocket):
    assert rocket.logout()["status"] == "success"
    with pytest.raises(RocketApiException):
        rocket.call_api_get("me")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("headers", [{}, JSON, JSON | {"Content-Length": "0"}])
def test_a_logout_ends_the_sign_in(call, bob, method, headers):
    answer = call(method, LOGOUT, bob.headers | headers)
    assert (answer.status, answer.body["status"]) == (200, "success")
    assert isinstance(answer.body["data"], dict)
    assert call("GET", ME, bob.headers).status == 401


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
    call, bob, method, path, signed_in
):
    answer = call(method, path, bob.headers if signed_in else {})
    assert answer.headers.get_all("Content-Type") == ["application/json"]
    assert answer.body["success"] is (answer.status == 200)
