"""The reset of one's own key in a browser: what it costs, the proof, and what is next."""

import re

import pytest

from e2ereset.server.rooms.models import Room
from tests.kit.pages import browser_of, prove

LOSSES, BEFORE, HOME = "/security/reset", "/security/reset/before", "/security/"
PASSWORD = "a long password"


@pytest.fixture
def dora(world):
    return world.person("dora", password=PASSWORD, totp=True)


@pytest.fixture
def browser(world, dora):
    browser = world.app.test_client()
    browser.environ_base["HTTP_ACCEPT"] = "text/html,*/*;q=0.8"
    proof = browser.post("/sign-in", data={"name": "dora", "password": PASSWORD}).location
    browser.post(proof, data={"code": dora.backup_codes[0]})
    return browser


def digest(browser):
    return re.search(r'name="plan" value="([0-9a-f]{64})"', browser.get(BEFORE).text)[1]


def test_what_is_lost_stands_there_before_anything_is_done(world, browser, dora):
    ann = world.person("ann")
    world.room("mine", dora)
    page = browser.get(LOSSES).text
    assert "1 other person" not in page
    assert "can give you again" not in browser.get(BEFORE).text
    world.room("a shared one", dora, ann)
    with world.runtime.transactions.begin() as session:
        session.get(Room, "a shared one").name = "plans & <more>"
    page = browser.get(LOSSES).text
    assert "<li><bdi>plans &amp; &lt;more&gt;</bdi>" in page
    assert "<li><bdi>a direct conversation</bdi>" in page
    assert "you are the last one who has its key" in page
    assert "1 other person has its key" in page.partition("you are the last one")[2]
    assert "Rooms: 2. Of these, rooms whose key nobody else has: 1." in page
    assert "Sign-ins that end</h2>" in page
    assert "Sign-ins: 2. Personal access tokens: 0." in page
    before = browser.get(BEFORE).text
    assert "Sign-ins of yours besides this one: 1." in before
    assert "can give you again after the reset: 1 of 2." in before
    assert world.has_key(dora)


def test_the_four_steps_reset_the_key(world, browser, dora):
    proof = browser.post(LOSSES, data={"plan": digest(browser)}).location
    asked = browser.get(proof).text
    assert "reset the E2E key of dora" in asked
    assert "Step 3 of 4" in asked
    assert world.has_key(dora)
    done = browser.post(proof, data={"code": world.code(dora)})
    assert (done.status_code, "The old key is deleted." in done.text) == (200, True)
    assert "A notice was mailed to you." in done.text
    assert done.text.partition("What happens next</h2>")[2].count("<li>") == 4
    for fact in ("15 January 2027, 08:00 UTC", "the authenticator app", "127.0.0.1, Werkzeug"):
        assert f"<dd>{fact}" in done.text
    assert "Loading it once more did nothing." in browser.get(proof).text
    assert (world.has_key(dora), world.tokens(dora)) == (False, 0)
    assert browser.get(HOME).location.startswith("/sign-in")
    assert world.outcomes()[-1] == ("reset-e2e-key", dora.id, dora.id, "totp", "reset")


def test_who_has_nothing_to_reset_and_no_address_is_told_so(world):
    emma = world.person("emma", emails=[], password=PASSWORD, key=False)
    browser = browser_of(world, emma)
    assert "You have no key, so there is nothing to reset" in browser.get(LOSSES).text
    proof = browser.post(LOSSES, data={"plan": digest(browser)})
    done = prove(browser, proof, PASSWORD).text
    assert '<h1 class="e2e-heading">You had no key</h1>' in done
    assert "your rooms" not in done
    assert "mailed" not in done


def test_a_plan_that_has_changed_is_shown_anew_and_nothing_is_lost(world, browser, dora):
    old = digest(browser)
    world.room("new", dora)
    proof = browser.post(LOSSES, data={"plan": old}).location
    again = browser.post(proof, data={"code": world.code(dora)})
    assert (again.status_code, "has changed since you looked" in again.text) == (400, True)
    assert world.has_key(dora)
    assert browser.post(LOSSES, data={"plan": digest(browser)}).status_code == 303


@pytest.mark.parametrize("form", [{}, {"plan": "no digest"}])
def test_a_form_without_a_plan_shows_it(browser, form):
    assert browser.post(LOSSES, data=form).status_code == 400


@pytest.mark.parametrize(
    "spared",
    [
        {"E2ERESET_TWO_FACTOR": False},
        {"E2ERESET_WITHOUT_METHOD": "allow", "E2ERESET_METHODS": ["totp"]},
    ],
)
def test_where_no_proof_was_needed_none_is_told(with_settings, spared):
    world = with_settings(**spared)
    browser = browser_of(world, world.person("ann"))
    german = {"Accept-Language": "de"}
    page = browser.post(LOSSES, data={"plan": digest(browser)}, headers=german).text
    assert "Ihr Schlüssel ist zurückgesetzt" in page
    assert "Nachgewiesen durch" not in page
