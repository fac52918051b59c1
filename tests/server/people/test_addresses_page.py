"""The page of one's addresses: which are verified, and the link that verifies one."""

import pytest

from tests.kit.pages import browser_of

PAGE, URL = "/account/addresses", "https://chat.example.org"


@pytest.fixture
def public(with_settings):
    """A server that knows its public address."""
    return with_settings(E2ERESET_SERVER_PUBLIC_URL=URL)


def test_an_address_is_verified_by_the_link_that_one_has_mailed(public):
    ann = public.person("ann", emails=["ann@x.org!", "old@x.org"])
    browser = browser_of(public, ann)
    assert f'href="{PAGE}">My e-mail addresses' in browser.get("/security/").text
    page = browser.get(PAGE).text
    assert (page.count("Verified."), page.count("Mail the link")) == (1, 1)
    sent = browser.post(PAGE, data={"email": "ann@x.org"})
    assert "A link is on its way" in browser.get(sent.location).text
    ((to, facts),) = public.queued("verify-email")
    assert to == "ann@x.org"
    browser.post(PAGE, data={"email": "ann@x.org"})
    browser.post(PAGE, data={"email": "eve@x.org"})
    assert len(public.queued("verify-email")) == 1  # one was mailed a moment ago; not hers
    done = browser.post(facts["link"].removeprefix(URL)).text
    assert 'href="/security/">My security' in done
    assert browser.get(PAGE).text.count("Verified.") == 2
    assert browser.post(PAGE).status_code == 400


def test_who_can_have_no_link_is_told_whom_to_ask(world):
    ann = world.person("ann", emails=["ann@x.org!"])
    nob = world.person("nob", emails=[])
    page = browser_of(world, ann).get(PAGE).text
    assert "Ask your administrator to verify" in page
    assert "<form" not in page
    assert "Your account has none." in browser_of(world, nob).get(PAGE).text
    sent = browser_of(world, ann).post(PAGE, data={"email": "ann@x.org"})
    assert (sent.status_code, "This server mails no links." in sent.text) == (400, True)
