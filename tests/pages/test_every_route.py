"""Every page that there is: to look at it changes nothing, and no other site sends its forms."""

import pytest
from sqlalchemy import select

from e2ereset.server.tables import db
from tests.kit.pages import HTML, addresses
from tests.kit.rows import row

PASSWORD = "a long password"
POLICY = {
    *("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"),
    *(f"{kind} 'self'" for kind in ("style-src", "script-src", "connect-src", "form-action")),
}
LEAVING = ("/sign-out", "/security/not-me")
PROTECTED = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


@pytest.fixture
def config(config):
    """An origin that may read answers may send no form."""
    return config | {"E2ERESET_CORS_ORIGINS": ["http://b.example"]}


@pytest.fixture
def browser(world):
    """An administrator's, signed in by the password."""
    world.person("carol", password=PASSWORD, roles=["admin"])
    browser = world.app.test_client()
    assert browser.post("/sign-in", data={"name": "carol", "password": PASSWORD}).location
    return browser


def rows(world):
    """All that is in the database."""
    world.session.rollback()
    return {
        name: sorted(map(repr, world.session.execute(select(table)).all()))
        for name, table in db.metadata.tables.items()
        # A look counts in a rate, which is not in the database; refused looks are noted.
        if name != "e2ereset_audit"
    }


@row("9.46")
def test_a_look_at_any_page_changes_nothing(world, browser):
    before, seen = rows(world), addresses(world, "GET")
    assert "/security/" in seen
    for address in seen:
        assert browser.get(address, headers=HTML).status_code < 500, address
        assert rows(world) == before, address


@row("13.forgot.5")
def test_every_page_has_the_headers_that_protect_it(world, browser):
    stranger = world.app.test_client()
    seen = [(by, "GET", one) for by in (browser, stranger) for one in addresses(world, "GET")]
    seen += [(browser, "POST", one) for one in addresses(world, "POST") if one not in LEAVING]
    seen += [(stranger, "GET", "/security/none"), (stranger, "PUT", "/sign-in")]
    for by, method, address in seen:
        page = by.open(address, method=method, headers=HTML)
        if page.mimetype == "text/html" and page.status_code != 303:
            assert set(page.headers["Content-Security-Policy"].split("; ")) == POLICY, address
            assert dict(page.headers).items() >= PROTECTED.items(), address


@pytest.mark.parametrize(
    "headers",
    [
        *({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site", "")),
        *({"Origin": origin} for origin in ("http://b.example", "http://c.example", "null", "")),
    ],
)
def test_no_form_of_another_site_is_taken(world, browser, headers):
    before, seen = rows(world), addresses(world, "POST")
    assert "/security/reset" in seen
    for address in seen:
        answer = browser.post(address, data={}, headers=HTML | headers)
        assert answer.status_code == 403, address
    assert rows(world) == before


@pytest.mark.parametrize("gap", ["%00", "a%ED%A0%80", "%09"])
def test_no_address_is_a_fault(world, browser, gap):
    for method in ("GET", "POST"):
        for address in set(addresses(world, method, gap)) - set(addresses(world, method)):
            assert browser.open(address, method=method, headers=HTML).status_code < 500, address


def test_no_query_is_a_fault(world, browser):
    names = ("action", "after", "asked", "before", "caller", "done", "next", "page", "q", "sent")
    names += ("target",)
    for text in ("9" * 5000, "%00", "%ED%A0%80", "\N{ARABIC-INDIC DIGIT ONE}"):
        query = "&".join(f"{name}={text}" for name in names)
        for address in addresses(world, "GET"):
            assert browser.get(f"{address}?{query}", headers=HTML).status_code < 500, address
