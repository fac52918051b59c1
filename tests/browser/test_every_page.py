"""Every page, and every error that a form can show, holds what a page has to hold."""

import re
import sqlite3
from contextlib import closing

import pytest

from e2ereset.languages import PSEUDO
from e2ereset.pages.site import find_site
from tests.kit.live import make_live

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery"
PLACE = re.compile("<([^>]+)>")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server that also speaks the pseudo-locale."""
    settings = {"FLASK_E2ERESET_LANGUAGES": f'["en", "de", "{PSEUDO}"]'}
    with make_live(tmp_path_factory.mktemp("site"), settings=settings) as live:
        yield live


@pytest.fixture(scope="module")
def carol(site):
    """An administrator with an authenticator app, a password and a key."""
    user = site.user("carol", "admin", totp=True)
    site.cli("user", "password", "carol", "--password-stdin", stdin=PASSWORD)
    return user


@pytest.fixture(scope="module")
def addresses(site, carol):
    """The addresses of all pages that need nothing but a sign-in, those of one of many, too."""
    dave = site.user("dave", totp=True)
    one = {"user_id": dave.id, "name": "access-permissions", "path:name": "user"}
    with site.app() as app:
        names = find_site(app).names
        rules = [r for r in app.url_map.iter_rules() if r.endpoint.partition(".")[0] in names]
        seen = (
            re.sub(PLACE, lambda m: one.get(m[1], m[0]), r.rule)
            for r in rules
            if "GET" in r.methods
        )
        return sorted(address for address in seen if not PLACE.search(address))


@pytest.fixture
def signed_in(browse, site, carol):
    """Carol's browser; each sign-in takes a backup code, as a step of the app passes once."""
    return lambda **options: browse(**options).sign_in("carol", PASSWORD, carol.backup_codes.pop())


def test_every_page_that_there_is(signed_in, addresses):
    watched = signed_in()
    assert "/security/" in addresses
    for address in addresses:
        watched.open(address)
        watched.holds()


# A form whose fields are sent empty or wrong, whatever the browser thinks of that.
EMPTY = """form => {
    form.noValidate = true;
    for (const one of form.querySelectorAll("input:not([type=hidden]), select, textarea"))
        one.value = "";
}"""
TYPED = "main form[method=post]:has(input:not([type=hidden]), select, textarea)"


def test_every_form_says_what_is_wrong_where_its_reader_begins(signed_in, addresses):
    watched = signed_in()
    for address in addresses:
        for n in range(watched.open(address).page.locator(TYPED).count()):
            form = watched.open(address).page.locator(TYPED).nth(n)
            form.evaluate(EMPTY)
            with watched.page.expect_navigation():
                form.locator("button").first.click()
            if watched.heading != "Prove that it is you":
                watched.starts_at_errors()
            watched.holds()


def test_the_page_of_an_outage(signed_in, site):
    watched = signed_in().open("/security/not-me")
    with closing(sqlite3.connect(site.folder / "e2ereset.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        watched.press("It was not me: do it now")
        assert watched.heading == "That did not work", watched.text
        watched.holds()


# What we say, and not what somebody is called: the texts that a catalogue must have.
SAID = "main :is(h1, h2, h3, label, legend, button, th[scope=col], dt, caption):not([lang])"


def test_every_text_is_in_the_catalogue_and_pages_read_from_right_to_left(signed_in, addresses):
    watched = signed_in()
    watched.page.context.set_extra_http_headers({"Accept-Language": PSEUDO})
    for address in addresses:
        page = watched.open(address).page
        assert page.get_attribute("html", "dir") == "rtl"
        texts = [one.strip() for one in page.locator(SAID).all_text_contents()]
        assert [one for one in texts if one and "\u200f" not in one] == [], address
        watched.holds()


# As if something had been lost, or come, since the page was made.
OTHER_PLAN = """document.querySelector("input[name=plan]").value = "0".repeat(64)"""


def test_what_a_page_says_while_something_is_wrong_holds_too(browse, signed_in, site, carol):
    erin = site.user("erin", totp=True)
    site.cli("user", "password", "erin", "--password-stdin", stdin=PASSWORD)

    def enters():
        return browse().sign_in("erin", PASSWORD, erin.backup_codes.pop())

    def sees(watched, address, words):
        assert words in watched.open(address).text, address
        watched.holds()

    watched, theirs = enters(), f"/admin/people/{erin.id}"
    sees(watched, "/security/none", "There is nothing at this address.")
    sees(watched, "/security/proof/none", "This page has expired")
    sees(watched, "/admin/people", "You cannot see this page")

    watched.open("/security/reset/before").page.evaluate(OTHER_PLAN)
    watched.press("Reset my key")
    for _ in range(6):
        watched.prove("000000")
    watched.starts_at_errors()
    assert "Too many tries." in watched.text
    watched.holds()
    site.cli("user", "unlock", "erin")
    watched.prove(erin.backup_codes.pop())
    watched.starts_at_errors()
    assert "has changed since" in watched.text
    watched.holds()

    watched.open("/security/not-me").press("It was not me: do it now")
    assert watched.heading == "Your account is protected"
    watched.holds()
    watched, helper = enters(), signed_in()
    for address in ("/security/", "/security/reset", "/security/not-me"):
        sees(watched, address, "Resets of your key are held until")
    for address in (theirs, f"{theirs}/reset"):
        sees(helper, address, "Nobody can reset this key until")
    site.cli("hold", "lift", "erin")
    helper.open(f"{theirs}/reset").page.evaluate(OTHER_PLAN)
    for field, typed in (("reason", "Lost the laptop."), ("username", "erin")):
        helper.fill(field, typed)
    helper.press("Reset the key")
    helper.prove(carol.backup_codes.pop())
    helper.starts_at_errors()
    assert "has changed since" in helper.text
    assert helper.page.input_value("#reason") == "Lost the laptop."
    helper.holds()
