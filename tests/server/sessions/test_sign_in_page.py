"""The page of the server to sign in; its cookie signs pages in, and nothing else."""

import pytest

from tests.kit.rows import row

HTML = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Site": "same-origin"}
SIGN_IN, HOME = "/sign-in", "/security/"


@pytest.fixture
def browser(world):
    world.person("dora", password="a long password")
    return world.app.test_client()


def enter(browser, password="a long password", **fields):
    form = {"name": "dora", "password": password, **fields}
    return browser.post(SIGN_IN, data=form, headers=HTML)


def test_the_right_password_signs_in(browser):
    assert browser.get(HOME, headers=HTML).location == "/sign-in?next=/security/"
    entered = enter(browser, next="/security/?a=b")
    assert (entered.status_code, entered.location) == (303, "/security/?a=b")
    assert "Signed in as dora" in browser.get(HOME).text


@pytest.mark.parametrize("fields", [{"password": "wrong"}, {"name": "nobody"}, {"password": ""}])
def test_anything_else_does_not(browser, fields):
    refused = enter(browser, **fields)
    assert (refused.status_code, 'role="alert"' in refused.text) == (401, True)
    assert browser.get_cookie("e2ereset_sign_in") is None


@pytest.mark.parametrize("next_", ["//evil.example/", "https://evil.example", "/\\evil.example"])
def test_nobody_is_led_to_another_site(browser, next_):
    assert enter(browser, next=next_).location == HOME


def test_the_second_factor_is_asked_for_on_a_page_of_its_own(world):
    zoe = world.person("zoe", password="a long password", totp=True)
    browser = world.app.test_client()
    proof = enter(browser, name="zoe").location
    assert "sign in as zoe" in browser.get(proof, headers=HTML).text
    wrong = browser.post(proof, data={"code": "000000"}, headers=HTML)
    assert (wrong.status_code, browser.get_cookie("e2ereset_sign_in")) == (400, None)
    right = browser.post(proof, data={"code": world.code(zoe)}, headers=HTML)
    assert (right.status_code, right.location) == (303, HOME)
    assert "Signed in as zoe" in browser.get(HOME).text


def test_who_has_not_the_app_signs_in_by_a_mailed_code(world):
    world.person("zoe", password="a long password", totp=True, email=True)
    browser = world.app.test_client()
    proof = enter(browser, name="zoe").location
    asked = browser.post(proof, data={"method": "email"}, headers=HTML)
    assert "Code that was mailed to you" in asked.text
    code, form = world.mailed_code(), {"method": "email"}
    again = browser.post(proof, data={"again": "true"}, headers=HTML).location
    assert "Another code is on its way" in browser.get(again, headers=HTML).text
    world.runtime.worker.run_due()
    assert world.count_codes() == 2
    right = browser.post(proof, data=form | {"code": code}, headers=HTML)
    assert (right.status_code, right.location) == (303, HOME)
    assert "Signed in as zoe" in browser.get(HOME).text


def test_the_cookie_signs_no_api_call_in(browser):
    enter(browser)
    assert browser.post("/api/v1/users.resetE2EKey").status_code == 401
    assert browser.get("/api/v1/me").status_code == 401


def test_the_cookie_is_not_for_scripts_nor_for_other_sites(browser):
    cookie = enter(browser).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


@pytest.mark.parametrize("said", ["by the setting", "by the request"])
def test_over_tls_the_cookies_are_for_tls_alone(make_server, config, world, said):
    told = {"E2ERESET_PAGES_URL": "https://app.example.org/security"}
    app = make_server(config | told if said == "by the setting" else config)
    world.person("dora", password="a long password")
    world.person("zoe", password="a long password", totp=True)  # who is led to the proof
    browser = app.test_client()
    scheme = "http" if said == "by the setting" else "https"
    for name in ("dora", "zoe"):
        form = {"name": name, "password": "a long password"}
        entered = browser.post(SIGN_IN, data=form, headers=HTML, base_url=f"{scheme}://localhost")
        assert "; Secure;" in entered.headers["Set-Cookie"], name


@row("12.7.2.4")
def test_another_sign_in_of_the_same_browser_ends_the_one_before(world, browser):
    zoe = world.person("zoe", password="a long password", totp=True)
    enter(browser)
    kept = browser.get_cookie("e2ereset_sign_in").value
    proof = enter(browser, name="zoe").location
    stolen = world.app.test_client()
    stolen.set_cookie("e2ereset_sign_in", kept)
    assert "Signed in as dora" in stolen.get(HOME).text  # nobody else has signed in yet
    browser.post(proof, data={"code": world.code(zoe)}, headers=HTML)
    assert "Signed in as zoe" in browser.get(HOME).text
    assert stolen.get(HOME, headers=HTML).status_code == 303


@pytest.mark.parametrize("sign_in", ['"a\\000b:c"', '"\\000:\\000"', "a:" + "c" * 3000])
def test_a_cookie_that_somebody_else_has_set_keeps_nobody_out(world, sign_in):
    """It fails on PostgreSQL alone, which takes no NUL."""
    world.person("dora", password="a long password")
    browser = world.app.test_client(use_cookies=False)
    headers = HTML | {"Cookie": f"e2ereset_sign_in={sign_in}"}
    form = {"name": "dora", "password": "a long password"}
    assert browser.post(SIGN_IN, data=form, headers=headers).location == HOME
    assert browser.post("/sign-out", headers=headers).location == f"{SIGN_IN}?out=1"


def test_another_site_signs_nobody_in(browser):
    form = {"name": "dora", "password": "a long password"}
    headers = HTML | {"Sec-Fetch-Site": "cross-site"}
    assert browser.post(SIGN_IN, data=form, headers=headers).status_code == 403


def test_who_signs_out_is_signed_out(browser):
    enter(browser)
    kept = browser.get_cookie("e2ereset_sign_in").value
    out = browser.post("/sign-out", headers=HTML).location
    assert "You are signed out." in browser.get(out).text
    browser.set_cookie("e2ereset_sign_in", kept)
    assert browser.get(HOME, headers=HTML).status_code == 303


def test_who_sends_a_form_when_the_sign_in_has_ended_is_told_that_it_was_not_done(browser):
    led = browser.post("/security/email/on", headers=HTML).location
    assert led == "/sign-in?lost=1"
    assert "what was sent just now was not done" in browser.get(led).text
    assert "not done" not in browser.get(SIGN_IN).text


def test_the_rate_is_that_of_the_api(world, browser, make_server, config):
    limited = make_server(config | {"RATELIMIT_ENABLED": True}).test_client()
    answers = [enter(limited, password="wrong") for _ in range(11)]
    assert [one.status_code for one in answers] == [401] * 10 + [429]
    assert 'role="alert"' in answers[-1].text
