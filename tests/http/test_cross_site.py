"""A page of another site changes nothing where the sign-in is a cookie: SPEC 1."""

import json

import pytest

from e2ereset.errors import SettingsError
from e2ereset.settings import load_settings
from tests.kit.client import RESET, SET_KEYS
from tests.kit.cookie_host import MINE

EVIL = {"public_key": "EVIL", "private_key": "EVIL", "force": "true"}
FOREIGN = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "anything else"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "null"},
    {"Origin": ""},
]
OWN = [
    {},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://app.localhost"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost"},
    {"Origin": "https://LOCALHOST:443"},
]
PATHS = [RESET, SET_KEYS, "/api/v1/users.2fa.sendEmailCode", "/vault"]


def assert_refused(host, answer):
    assert answer.status_code == 403
    assert answer.content_type == "application/json"
    assert answer.json["errorType"] == "error-cross-site-request"
    assert host.keys() == MINE
    assert not host.opened


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_form_of_another_site_replaces_no_key(cookie_host, headers):
    assert_refused(cookie_host, cookie_host.browser.post(SET_KEYS, data=EVIL, headers=headers))


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://my_app:8000", 401), ("http://my_app", 403), ("null", 403), ("", 403)],
)
def test_a_host_with_an_underscore_is_a_host_too(cookie_host, origin, status):
    """Werkzeug knows none such, as in a network of containers; over HTTP `Origin` alone tells."""
    headers = {"Host": "my_app:8000", "Origin": origin, "Authorization": "Basic eDp5"}
    assert cookie_host.app.test_client().post(RESET, headers=headers).status_code == status


@pytest.mark.parametrize("path", PATHS)
def test_no_route_takes_a_request_of_another_site(cookie_host, path):
    headers = FOREIGN[0] | cookie_host.code()
    assert_refused(cookie_host, cookie_host.browser.post(path, headers=headers))
    assert_refused(cookie_host, cookie_host.browser.post(path, json=EVIL, headers=headers))


def test_a_gated_view_is_not_even_shown_to_another_site(cookie_host):
    assert_refused(cookie_host, cookie_host.browser.get("/vault", headers=FOREIGN[0]))


def test_another_site_draws_no_challenge_and_no_audit_row(cookie_host):
    before = cookie_host.audited()
    cookie_host.browser.post(RESET, headers=FOREIGN[0])
    assert cookie_host.audited() == before


@pytest.mark.parametrize("headers", OWN)
def test_a_page_of_ones_own_site_may(cookie_host, headers):
    assert cookie_host.browser.post(RESET, headers=headers | cookie_host.code()).status_code == 200


def test_reading_ones_keys_is_no_change(cookie_host):
    found = cookie_host.browser.get("/api/v1/e2e.fetchMyKeys", headers=FOREIGN[0])
    assert found.json["public_key"] == "mine"


def test_a_form_is_no_way_to_set_keys_with_a_cookie(cookie_host):
    answer = cookie_host.browser.post(SET_KEYS, data=EVIL)
    assert (answer.status_code, answer.json["errorType"]) == (400, "invalid-params")
    assert cookie_host.keys() == MINE


@pytest.mark.parametrize("scheme", ["Basic Ym9iOnB3", "negotiate YII="])
def test_a_sign_in_that_a_browser_repeats_counts_as_a_cookie(cookie_host, scheme):
    client = cookie_host.app.test_client(use_cookies=False)
    assert_refused(cookie_host, client.post(RESET, headers=FOREIGN[0] | {"Authorization": scheme}))


def test_without_a_cookie_nobody_is_refused_for_the_origin(cookie_host):
    client = cookie_host.app.test_client(use_cookies=False)
    headers = FOREIGN[0] | {"Authorization": "Bearer abc"}
    assert client.post(RESET, headers=headers).status_code == 401


def test_a_host_without_a_cookie_sign_in_can_say_so(make_cookie_host):
    host = make_cookie_host(E2ERESET_COOKIE_SIGN_IN=False)
    assert host.browser.post(RESET, headers=FOREIGN[0] | host.code()).status_code == 200


def test_a_token_in_headers_is_not_bothered_on_the_server(world, bob):
    headers = FOREIGN[0] | {"Cookie": "sticky=1"}
    assert world.reset(bob, code=world.code(bob), headers=headers).status_code == 200


CORS = {"E2ERESET_CORS_ORIGINS": ["https://app.example.org"]}
APP = {"Origin": "https://app.example.org"}
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-2fa-code"}


@pytest.fixture
def server(make_server, config, engine):
    return make_server(config | CORS).test_client()


@pytest.mark.parametrize("path", [RESET, SET_KEYS, "/api/v1/login", "/api/v1/me"])
def test_a_browser_may_ask_for_an_allowed_origin(server, path):
    answer = server.options(path, headers=APP | ASKS)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    wanted = {"content-type", "x-auth-token", "x-user-id", "x-2fa-code", "x-2fa-method"}
    assert wanted <= set(allowed)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.org.evil", "null"])
def test_a_browser_may_not_ask_for_another_origin(server, origin):
    answer = server.options(RESET, headers=ASKS | {"Origin": origin})
    assert answer.status_code == 405
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", RESET, 401), ("GET", RESET, 405), ("GET", "/api/v1/nothing", 404)],
)
def test_an_allowed_page_reads_refusals_too(server, method, path, status):
    answer = server.open(path, method=method, headers=APP)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


def test_an_allowed_page_may_also_where_the_sign_in_is_a_cookie(make_cookie_host):
    host = make_cookie_host(**CORS)
    headers = APP | {"Sec-Fetch-Site": "cross-site"} | host.code()
    assert host.browser.post(RESET, headers=headers).status_code == 200


BAD_ORIGINS = ("null", "https://a.org/", "https://*.a.org", "a.org", "https://A.org", 1)


@pytest.mark.parametrize("origin", [*BAD_ORIGINS, "https://a.org:"])
def test_an_origin_that_no_browser_sends_is_refused_at_start(origin):
    with pytest.raises(SettingsError, match="E2ERESET_CORS_ORIGINS"):
        load_settings({"SECRET_KEY": "k" * 16, "E2ERESET_CORS_ORIGINS": [origin]})


def test_any_origin_may_ask_and_read_where_cors_is_a_star(make_server, config, engine):
    server = make_server(config | {"E2ERESET_CORS_ORIGINS": ["*"]}).test_client()
    page = {"Origin": "https://anywhere.example"}
    asked = server.options(RESET, headers=page | ASKS)
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert "x-2fa-code" in asked.headers["Access-Control-Allow-Headers"]
    refused = server.post(RESET, headers=page)
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "*")
    assert "Access-Control-Allow-Credentials" not in {**asked.headers, **refused.headers}
    assert "Access-Control-Allow-Origin" not in server.post(RESET).headers


@pytest.mark.parametrize("headers", [*FOREIGN, {"Origin": "*"}])
def test_a_star_trusts_no_other_site_with_a_cookie(make_cookie_host, headers):
    host = make_cookie_host(E2ERESET_CORS_ORIGINS=["*"])
    assert_refused(host, host.browser.post(SET_KEYS, data=EVIL, headers=headers))


def test_origins_that_browsers_send_are_taken():
    origins = ["http://localhost:3000", "capacitor://localhost", "https://[::1]"]
    load_settings({"SECRET_KEY": "k" * 16, "E2ERESET_CORS_ORIGINS": origins})


@pytest.mark.parametrize(
    ("config", "level"),
    [
        ({"SESSION_COOKIE_SAMESITE": "None"}, "warning"),
        ({"REMEMBER_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SAMESITE": "Lax"}, "warning"),
        ({}, "note"),
        ({"SESSION_COOKIE_SAMESITE": "Strict"}, None),
        ({"SESSION_COOKIE_SAMESITE": "None", "E2ERESET_COOKIE_SIGN_IN": False}, None),
    ],
)
def test_doctor_tells_of_cookies_that_other_sites_get(make_cookie_host, config, level):
    app = make_cookie_host(**config).app
    output = app.test_cli_runner().invoke(args=["e2ereset", "doctor", "--json", "--no-mail"])
    found = {f["code"]: f["level"] for f in json.loads(output.stdout)["findings"]}
    assert found.get("cookie-cross-site") == level
