"""What Flask or werkzeug would answer by themselves below our prefix is in the envelope: K3."""

import pytest
from flask import abort
from werkzeug.exceptions import BadRequest

from tests.kit.client import RESET
from tests.kit.pages import BROWSER

DOUBLED = ["/api/v1//users.resetE2EKey", "//api/v1/users.resetE2EKey", "/api//v1/users.resetE2EKey"]


def assert_enveloped(answer, status):
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["success"] is False
    assert "Location" not in answer.headers


@pytest.mark.parametrize("path", [*DOUBLED, "/api/v1/me//", "//api/v1/logout", "/api/v1/login/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_server_redirects_nobody(app, method, path):
    answer = app.test_client().open(method=method, environ_overrides={"PATH_INFO": path})
    assert answer.status_code in (401, 404, 405)
    assert_enveloped(answer, answer.status_code)


@pytest.mark.parametrize("path", ["/static/x", "//static/x", "/", "/nothing", "/api/v1"])
def test_the_server_has_no_page_of_flasks(app, path):
    assert_enveloped(app.test_client().get(path), 404)


def test_a_browser_is_led_to_the_pages_of_the_server(app):
    browser = app.test_client()
    browser.environ_base["HTTP_ACCEPT"] = BROWSER["Accept"]
    assert browser.get("/").location == "/security/"
    for path, status in [("/nothing", 404), ("/security/nothing", 404), ("/sign-out", 405)]:
        page = browser.get(path)
        assert (page.status_code, page.mimetype) == (status, "text/html")
        assert "There is no such page" in page.text
    assert browser.get("/security").location == "/security/"
    assert_enveloped(browser.get("/api/v1/nothing"), 404)


@pytest.mark.parametrize("path", [DOUBLED[0], DOUBLED[2]])
def test_a_host_redirects_nobody_to_a_route_of_ours(cookie_host, path):
    here = {"PATH_INFO": path}
    answer = cookie_host.browser.post(headers=cookie_host.code(), environ_overrides=here)
    assert_enveloped(answer, 404)


def test_options_is_405_where_cors_is_off(cookie_host, app):
    for client in (cookie_host.browser, app.test_client()):
        answer = client.options(RESET, headers={"Origin": "https://app.example.org"})
        assert_enveloped(answer, 405)
        assert answer.headers["Allow"] == "POST"
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", RESET, 405),
        ("PUT", RESET, 405),
        ("HEAD", RESET, 405),
        ("BREW", RESET, 405),
        ("GET", "/api/v1/nothing", 404),
        ("POST", "/api/v1/", 404),
        ("GET", "/api/v1", 404),
        ("GET", "//api/v1/nothing", 404),
    ],
)
def test_a_host_answers_strays_below_our_prefix_in_the_envelope(cookie_host, method, path, status):
    answer = cookie_host.browser.open(method=method, environ_overrides={"PATH_INFO": path})
    assert answer.status_code == status
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/nothing", "/api/v11/x", "/api"])
def test_the_hosts_own_pages_stay_its_own(cookie_host, path):
    answer = cookie_host.browser.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_the_hosts_own_redirects_and_options_stay(cookie_host):
    assert cookie_host.browser.get("/projects").status_code == 308
    assert cookie_host.browser.options("/projects/").status_code == 200
    assert cookie_host.browser.post("/projects/").mimetype == "text/html"


def test_a_hook_of_the_host_keeps_its_words(cookie_host):
    class Missing(BadRequest):
        description = "The CSRF token is missing."

    def refuse():
        raise Missing

    cookie_host.app.before_request_funcs[None].append(refuse)
    answer = cookie_host.browser.post(RESET)
    assert_enveloped(answer, 400)
    assert answer.json["error"] == "The CSRF token is missing."


def test_words_given_to_abort_are_kept(cookie_host):
    cookie_host.app.before_request_funcs[None].append(lambda: abort(403, "Not from this network."))
    assert cookie_host.browser.post(RESET).json["error"] == "Not from this network."


def test_a_host_name_that_is_not_trusted_is_refused_in_the_envelope(make_server, config, engine):
    client = make_server(config | {"TRUSTED_HOSTS": ["chat.example.org"]}).test_client()
    assert_enveloped(client.post(RESET, headers={"Host": "evil.example"}), 400)
