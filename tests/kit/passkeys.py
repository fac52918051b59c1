"""Passkeys of people of a server whose pages take them."""

import html
import json
import re

from tests.kit.authenticator import Authenticator
from tests.kit.pages import prove

SETTINGS = {
    "E2ERESET_METHODS": ["totp", "passkey", "email", "password"],
    "E2ERESET_PAGES_URL": "https://app.example.org/security",
}
PASSKEYS, NEW = "/security/passkeys", "/security/passkeys/new"
CODE, SHOWN = "/security/code", re.compile(r"<strong[^>]*>(\d{4}-\d{4})</strong>")
ASKED = re.compile("data-e2e-passkey='([^']+)'")


def asked(page):
    """What the script is given on a page."""
    return json.loads(html.unescape(ASKED.search(page)[1]))


def add(browser, name="blue phone", **proof):
    """Add a passkey by the pages; its authenticator."""
    led = browser.post(PASSKEYS, data={"name": name})
    if "/proof/" in led.location:
        led = prove(browser, led, **proof)
    assert led.location == NEW
    made = Authenticator(credential_id=name.encode())
    answer = made.make(asked(browser.get(NEW).text))
    done = browser.post(NEW, data={"code": answer})
    assert done.location == f"{PASSKEYS}?done=added"
    assert browser.post(NEW, data={"code": answer}).status_code == 400
    return made


def code_for(browser, key, act="reset-e2e-key"):
    """The code that a page shows for what a client has asked for, proven by this passkey."""
    led = browser.post(CODE, data={"act": act})
    options = asked(browser.get(led.location).text)
    page = browser.post(led.location, data={"code": key.sign(options)})
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    return SHOWN.search(page.text)[1]
