"""Passkeys in chromium, with its virtual authenticator: made, used, and the code for an app."""

import re

import pytest

from tests.kit.browser import virtual_authenticator
from tests.kit.client import RESET
from tests.kit.live import Live, make_live

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery"


class Local(Live):
    """A server that is called `localhost`: no passkey is bound to an address."""

    def __init__(self, *args):
        super().__init__(*args)
        self.url = f"http://localhost:{self.port}"
        settings = {
            "FLASK_E2ERESET_METHODS": '["totp", "passkey", "email", "password"]',
            "FLASK_E2ERESET_PAGES_URL": f"{self.url}/security",
        }
        self.settings |= settings
        self.env |= settings


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with make_live(tmp_path_factory.mktemp("passkeys"), make=Local) as live:
        yield live


def begin(watched, name):
    """Begin a passkey of this name, by the password."""
    watched.fill("name", name)
    watched.press("Add")
    watched.prove(PASSWORD)


def test_a_passkey_is_made_and_used(browse, site):
    site.cli("user", "add", "pat", "--password-stdin", stdin=PASSWORD)
    watched = browse().sign_in("pat", PASSWORD)
    with virtual_authenticator(watched) as (session, authenticator):
        watched.open("/security/passkeys").holds()
        begin(watched, "blue phone")
        watched.holds()
        watched.press("Make the passkey")
        assert "The passkey was added" in watched.text
        watched.holds()
        made = session.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})
        assert [one["rpId"] for one in made["credentials"]] == ["localhost"]
        watched.open("/security/")
        watched.press("Sign out")
        watched.sign_in("pat", PASSWORD)
        assert watched.heading == "Prove that it is you"
        watched.holds()
        watched.press("Use your passkey")
        assert watched.open("/security/").heading == "My security"
        assert "Passkey blue phone" in watched.text

        token = site.cli("user", "token", "pat")
        headers = {"X-User-Id": token["userId"], "X-Auth-Token": token["authToken"]}
        asked = site.call("POST", RESET, headers, {})
        assert asked.body["details"]["codePage"] == f"{site.url}/security/code"
        watched.open("/security/code").holds()
        assert "reset the E2E key of pat" in watched.text
        with watched.page.expect_navigation():
            watched.page.get_by_role("button", name="Show a code for it").click()
        watched.press("Use your passkey")
        watched.holds()
        code = re.search(r"\b\d{4}-\d{4}\b", watched.text)[0]
        done = site.call("POST", RESET, headers | {"x-2fa-code": code}, {})
        assert done.body == {"success": True}


def test_who_is_not_verified_by_the_authenticator_makes_none(browse, site):
    site.cli("user", "add", "nora", "--password-stdin", stdin=PASSWORD)
    watched = browse().sign_in("nora", PASSWORD)
    with virtual_authenticator(watched, verifies=False):
        watched.open("/security/passkeys")
        begin(watched, "found phone")
        watched.page.get_by_role("button", name="Make the passkey").click()
        watched.page.wait_for_selector("#e2e-passkey-failed", state="visible")
        watched.holds()


def test_without_javascript_the_page_says_so(browse, site):
    site.cli("user", "add", "theo", "--password-stdin", stdin=PASSWORD)
    watched = browse(scripts=False).sign_in("theo", PASSWORD)
    assert "Passkeys need JavaScript" in watched.open("/security/passkeys").text
