"""What a page says when it refuses: in its reader's language, in words for people."""

from html import unescape

import pytest
from werkzeug.exceptions import BadRequest, HTTPException, NotFound, TooManyRequests

from e2ereset import Refusal
from e2ereset.errors import Busy, ResetHeld
from e2ereset.pages.site import find_site
from tests.kit import catalogues
from tests.kit.pages import BROWSER, browser_of

PASSWORD = "a long password"
GERMAN = {"Accept-Language": "de"}
WAIT = "Versuchen Sie es in 2 Minuten noch einmal."
UNTIL = "2026-09-21T14:13:20.000Z"
KNOWN = {
    one.id: one.string for po in catalogues.po_files() for one in catalogues.read(po) if one.id
}
ARGUMENTS = {"PlanChanged": ({}, "")}


def made(kind):
    """A refusal of this kind, with two minutes to wait where it tells how long."""
    try:
        return kind(*ARGUMENTS.get(kind.__name__, ()))
    except TypeError:
        return kind(90)


@pytest.fixture
def said(pages):
    """What the page in German says of a refusal."""
    site = find_site(pages.app)

    def said(refusal):
        with pages.app.test_request_context("/security/", headers=BROWSER | GERMAN):
            told = site._failed if isinstance(refusal, HTTPException) else site.refused
            page = told(refusal)
        text = page.get_data(as_text=True)
        assert '<html lang="de"' in text
        return unescape(text)

    return said


def test_every_refusal_is_said_in_the_readers_language(said):
    """A text that is missing shows as English."""
    for kind in catalogues.refusals():
        refusal = ResetHeld(until=UNTIL) if kind is ResetHeld else made(kind)
        english, page = catalogues.told(kind), said(refusal)
        assert KNOWN[english] in page, kind
        assert english not in page, kind
        assert (WAIT in page) is bool(getattr(refusal, "retry_after", None)), kind


def test_words_given_where_it_is_raised_are_said_in_the_readers_language(said):
    page = said(Refusal("Federated users cannot have their E2E key reset"))
    assert "eines Kontos von einem anderen Server" in page


def test_a_held_reset_says_until_when(said):
    assert "Bis: 21. September 2026, 14:13 UTC." in said(ResetHeld(until=UNTIL))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotFound(), '<h1 class="e2e-heading">Diese Seite gibt es nicht</h1>'),
        (TooManyRequests(), "zu viele Anfragen"),
        (BadRequest("The CSRF token is missing."), "laden Sie die Seite neu"),
    ],
)
def test_an_error_of_http_is_said_in_the_readers_language(said, error, words):
    page = said(error)
    assert words in page
    assert error.name not in page


def test_the_page_to_sign_in_says_how_long_to_wait(world):
    world.person("dora", password=PASSWORD)
    browser = world.app.test_client()
    form = {"name": "dora", "password": "wrong"}
    for _ in range(5):
        wrong = browser.post("/sign-in", data=form, headers=BROWSER | GERMAN)
    assert "Dieser Name oder dieses Passwort stimmt nicht" in wrong.text
    spent = browser.post("/sign-in", data=form, headers=BROWSER | GERMAN).text
    assert "Zu viele Anmeldungen mit diesem Namen sind gescheitert. Versuchen Sie es in" in spent
    empty = browser.post("/sign-in", data={"name": "dora"}, headers=BROWSER | GERMAN).text
    assert "Füllen Sie beide Felder aus." in empty


def test_a_form_of_another_site_and_of_a_permission_are_refused_in_german(world):
    boss = world.person("boss", totp=True, roles=("admin",))
    browser = browser_of(world, boss)
    page = "/admin/permissions/access-permissions"
    form, other = {"role": "admin", "act": "take"}, {"Sec-Fetch-Site": "cross-site"}
    crossed = browser.post(page, data=form, headers=BROWSER | GERMAN | other)
    assert "Das Formular kam von einer anderen Website" in crossed.text
    led = browser.post(page, data=form | {"role": "user", "act": "give"}, headers=GERMAN)
    asked = browser.get(led.location, headers=GERMAN).text
    assert "der Rolle user das Recht access-permissions zu geben" in asked
    refused = browser.post(page, data=form, headers=GERMAN).text
    assert "Die Administration behält dieses Recht" in refused


@pytest.fixture
def shown(world):
    """The browser of somebody signed in; a fault is answered as when nobody tests."""
    world.app.testing = False
    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    browser = browser_of(world, world.person("dora", password=PASSWORD))

    def shown(path, method="GET", **options):
        answer = browser.open(path, method=method, headers=BROWSER | GERMAN, **options)
        assert '<html lang="de"' in answer.text
        return answer.status_code, unescape(answer.text)

    return shown


@pytest.mark.parametrize(("path", "status"), [("/security/nothing", 404), ("/sign-out", 405)])
def test_an_address_without_a_page_is_told_in_the_readers_language(shown, path, status):
    code, page = shown(path)
    assert (code, "Diese Seite gibt es nicht" in page) == (status, True)


def test_what_is_too_long_is_a_page_too(shown):
    form = {"data": b"x" * 2_000_000, "content_type": "application/x-www-form-urlencoded"}
    code, page = shown("/security/language", "POST", **form)
    assert (code, "Was Sie gesendet haben, ist zu lang." in page) == (413, True)


def test_an_outage_and_a_fault_are_pages_even_if_nobody_knows_who_reads(world, shown, monkeypatch):
    def is_busy(_runtime):
        raise Busy()

    monkeypatch.setattr("e2ereset.server.app.identify", is_busy)
    assert "Ein Teil des Systems antwortet nicht." in shown("/security/")[1]
    monkeypatch.undo()
    find_site(world.app).overview.factors.append(lambda *_: 1 / 0)
    code, page = shown("/security/")
    assert (code, "Hier ist etwas schiefgegangen." in page) == (503, True)
