"""My security: looking after one's second factors in a browser."""

import re
from html import unescape

import pyotp
import pytest
import segno

from e2ereset.vault.models import KeyPair
from e2ereset.vault.thumbprints import thumbprint
from tests.kit.pages import browser_of, prove

HOME, APP, CODES = "/security/", "/security/authenticator", "/security/backup-codes"
SECRET = re.compile(r'"e2e-secret">([A-Z2-7 ]{39})</code>')
SHOWN = re.compile(r"^(?:<pre[^>]*>)?([0-9A-Z]{4}-[0-9A-Z]{4})", re.MULTILINE)


@pytest.fixture
def dora(world):
    """Somebody without a second factor."""
    return world.person("dora", password="a long password")


def test_a_wrong_password_is_called_a_password(world, dora):
    browser = browser_of(world, dora)
    wrong = prove(browser, browser.post(APP), "nonsense", method="password")
    assert (wrong.status_code, "This password is not right" in wrong.text) == (400, True)


def begun(browser):
    """The secret that a browser is shown."""
    begin = prove(browser, browser.post(APP), "a long password", method="password")
    assert (begin.status_code, begin.location) == (303, APP)
    page = browser.get(APP).text
    assert '<svg viewBox="0 0' in page
    assert "style=" not in page
    secret = SECRET.search(page)[1].replace(" ", "")
    url = unescape(re.search('href="(otpauth:[^"]+)"', page)[1])
    assert f"secret={secret}" in url
    drawn = segno.make_qr(url, error="m").svg_inline(omitsize=True, lineclass=None)
    assert re.search(' d="[^"]+"', drawn)[0] in page
    return secret


def test_an_app_is_enrolled_by_its_first_code(world, dora):
    browser, other = browser_of(world, dora), browser_of(world, world.again(dora))
    world.clock.tick(60)
    secret = begun(browser)
    totp = pyotp.TOTP(secret)
    for wrong in ("000000", " "):
        again = browser.post(f"{APP}/confirm", data={"code": wrong})
        assert (again.status_code, 'role="alert"' in again.text) == (400, True)
        assert SECRET.search(again.text)[1].replace(" ", "") == secret
        told = "begun more than once" if wrong.strip() else "Type the code."
        assert told in again.text
    code = totp.at(world.clock.now)
    done = browser.post(f"{APP}/confirm", data={"code": f"{code[:3]} {code[3:]}"})
    codes = SHOWN.findall(done.text)
    assert (done.status_code, len(set(codes))) == (200, 12)
    assert "no-store" in done.headers["Cache-Control"]
    again = browser.post(f"{APP}/confirm", data={"code": code})  # loaded once more
    assert (again.status_code, f'href="{CODES}"' in again.text) == (200, True)
    assert secret not in browser.get(APP).text
    home = browser.get(HOME).text
    assert "On since 15 January 2027, 08:01 UTC" in home
    assert "Backup codes left: 12" in home
    assert "You cannot use it in this sign-in" in home
    assert other.get(HOME).location.startswith("/sign-in")


def test_a_secret_is_shown_to_the_sign_in_that_asked_for_it(world, dora):
    browser = browser_of(world, dora)
    secret = begun(browser)
    cookie = browser.get_cookie("e2ereset_authenticator", path=APP)
    assert secret not in cookie.value
    other = browser_of(world, world.again(dora))
    other.set_cookie(cookie.key, cookie.value, path=APP)
    assert "<svg" not in other.get(APP).text
    assert begun(other) != secret  # replaces it
    assert "<svg" not in browser.get(APP).text
    over = browser.post(f"{APP}/confirm", data={"code": pyotp.TOTP(secret).at(world.clock.now)})
    assert (over.status_code, "Begin again" in over.text) == (400, True)


def test_an_app_is_enrolled_behind_the_factor_that_one_has(world, eve):
    browser = browser_of(world, eve)
    led = browser.post(APP)
    assert "set up an authenticator app for eve" in browser.get(led.location).text
    done = prove(browser, led, world.mailed_code(), method="email")
    assert (done.status_code, done.location) == (303, APP)
    assert "<svg" in browser.get(APP).text


def test_an_app_is_switched_off_by_a_code_of_it(world, bob):
    browser, off = browser_of(world, bob), f"{APP}/off"
    page = browser.get(off).text
    assert "another way" not in page  # there is none
    assert "ask your administrator" in page
    wrong = browser.post(off, data={"code": "000000"})
    assert (wrong.status_code, "This code is not right" in wrong.text) == (400, True)
    done = browser.post(off, data={"code": world.code(bob)})
    assert done.location == f"{HOME}?done=totp-off"
    assert "The authenticator app is off" in browser.get(done.location).text
    assert world.told() == [
        "The authenticator app was switched on",
        "The authenticator app was switched off",
    ]
    assert ("disable-totp", bob.id, bob.id, "totp", "passed") in world.outcomes()


def test_wrong_codes_count_on_both_pages_together(world, bob):
    browser, pages = browser_of(world, bob), (f"{APP}/off", CODES)
    for page in pages * 3:
        browser.post(page, data={"code": "000000"})
    for page in pages:
        spent = browser.post(page, data={"code": world.code(bob)})
        assert (spent.status_code, "Too many tries. Try again in" in spent.text) == (400, True)


def test_a_lost_app_is_switched_off_by_another_factor(world):
    zoe = world.person("zoe", totp=True, email=True)
    browser = browser_of(world, zoe)
    page = browser.get(f"{APP}/off").text
    assert ("another way" in page, "administrator" in page) == (True, False)
    led = browser.post(f"{APP}/lost")
    browser.post(led.location, data={"method": "email"})
    assert "have another one mailed" in prove(browser, led, "000000", method="email").text
    assert "Another code is on its way" in browser.get(f"{led.location}?sent=1").text
    app = browser.post(f"{led.location}?sent=1", data={"method": "totp"}).text
    assert "Another code is on its way" not in app
    done = prove(browser, led, world.mailed_code(), method="email")
    assert done.status_code == 303
    assert not world.runtime.factors.status(zoe.id).totp
    assert world.tokens(zoe) == 0


def test_backup_codes_are_renewed_by_a_code_and_saved_as_a_file(world, bob):
    browser = browser_of(world, bob)
    assert "Backup codes left: 12" in browser.get(CODES).text
    done = browser.post(CODES, data={"code": bob.backup_codes[0]})
    codes = SHOWN.findall(done.text)
    assert len(codes) == 12
    saved = browser.post(f"{CODES}/file", data={"codes": " ".join(codes)})
    assert saved.mimetype == "text/plain"
    assert saved.headers["Content-Disposition"] == "attachment; filename=backup-codes.txt"
    assert saved.text.split("\r\n")[2:-1] == codes
    for other in ("<b>hello</b>", "", f"{codes[0]} and more"):
        assert browser.post(f"{CODES}/file", data={"codes": other}).status_code == 400
    assert browser.post(CODES, data={"code": bob.backup_codes[1]}).status_code == 400
    assert browser.post(CODES, data={"code": codes[0]}).status_code == 200


def test_mailed_codes_are_switched_on_and_off(world, dora):
    browser, other = browser_of(world, dora), browser_of(world, world.again(dora))
    on = browser.post("/security/email/on")
    assert "Codes by e-mail are on" in browser.get(on.location).text
    assert other.get(HOME).status_code == 303
    world.clock.tick(1)
    browser = browser_of(world, world.again(dora))
    led = browser.post("/security/email/off")
    done = prove(browser, led, world.mailed_code())
    assert "Codes by e-mail are off" in browser.get(done.location).text


def test_who_has_no_verified_address_cannot_switch_them_on(world):
    browser = browser_of(world, world.person("nick", emails=["nick@x.org!"]))
    home = browser.get(HOME).text
    assert "no verified e-mail address" in home
    assert "/email/on" not in home
    assert browser.post("/security/email/on").status_code == 400


def test_who_has_just_set_a_factor_up_is_told_to_sign_in_again(world):
    browser = browser_of(world, world.person("nina"))
    world.clock.tick(1)
    browser.post("/security/email/on")
    refused = browser.post("/security/email/off")
    assert "sign in again" in refused.text
    assert "That was not done</h1>" in refused.text
    assert "Set one up" not in refused.text


def test_my_security_tells_what_one_has(world, bob):
    browser = browser_of(world, bob)
    home = browser.get(HOME).text
    assert "You can use it in this sign-in." in home
    assert "Not used yet." in home
    assert "Stored on 15 January 2027" in home
    assert 'action="/sign-out"' in home
    assert "None is on" not in home
    assert "Backup codes left: 12" in home
    prove(browser, browser.post("/security/email/on"), bob.backup_codes[0])
    assert "Backup codes left: 11" in browser.get(HOME).text
    assert "Last used: 15 January 2027, 08:00 UTC." in browser.get(HOME).text
    world.fail(bob)
    assert "Locked after too many wrong tries" in browser.get(HOME).text


def test_my_security_tells_which_key_one_has(world, bob):
    browser = browser_of(world, bob)
    assert "Fingerprint" not in browser.get(HOME).text  # "PUB" is no key
    jwk = '{"kty":"RSA","n":"AQ","e":"AQAB"}'
    with world.runtime.transactions.begin() as session:
        session.query(KeyPair).update({"public_key": jwk})
    grouped = " ".join(re.findall("....", thumbprint(jwk)))
    assert f'Fingerprint: <code class="e2e-secret">{grouped}</code>' in browser.get(HOME).text
    world.reset(bob, code=world.code(bob))
    assert "You have none." in browser_of(world, world.again(bob)).get(HOME).text


def test_no_page_of_a_host_has_a_button_to_sign_out(pages):
    assert "sign-out" not in pages.browser.get(HOME).text
