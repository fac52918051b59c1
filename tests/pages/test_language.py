"""The language of a page: the one that its reader chose, else what the browser prefers."""

import pytest

from tests.kit.pages import PagesHost

HOME, CHOOSE = "/security/", "/security/language"


def shown(browser, **headers):
    text = browser.get(HOME, headers=headers).text
    return (
        "de" if "Meine Sicherheit" in text and 'id="e2e-main" lang="de" dir="ltr"' in text else "en"
    )


def test_a_browser_tells_what_its_reader_prefers(pages):
    assert shown(pages.browser) == "en"
    assert shown(pages.browser, **{"Accept-Language": "fr, de-AT;q=0.8, en;q=0.5"}) == "de"


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("en;q=0.2, de;q=0.9", "de"),
        ("de;q=0, *;q=0.5", "en"),
        ("*, de;q=0.1", "en"),
        ("DE-de-1996", "de"),
        ("de;q=x", "en"),
        (";;,=\u00e4", "en"),
    ],
)
def test_what_a_browser_prefers_is_read_with_its_weights(pages, wanted, language):
    assert shown(pages.browser, **{"Accept-Language": wanted}) == language


def test_a_choice_stays_with_the_browser(pages):
    chosen = pages.browser.post(CHOOSE, data={"language": "de"})
    assert (chosen.status_code, chosen.location) == (303, HOME)
    assert shown(pages.browser, **{"Accept-Language": "en"}) == "de"


def test_a_language_that_there_is_not_is_the_first_one(pages):
    pages.browser.post(CHOOSE, data={"language": "xx"})
    assert shown(pages.browser) == "en"


def test_a_choice_stays_with_the_account_where_the_host_keeps_it(world):
    world.person("dora", password="a long password")
    form = {"name": "dora", "password": "a long password"}
    first, second = world.app.test_client(), world.app.test_client()
    for browser in (first, second):
        browser.post("/sign-in", data=form)
    first.post(CHOOSE, data={"language": "de"})
    assert shown(second) == "de"


def test_my_security_offers_each_other_language_by_its_own_name(pages, make_host):
    other = '<button class="e2e-link" lang="{}">{}</button>'
    english = pages.browser.get(HOME).text
    assert other.format("de", "Deutsch") in english
    assert "<p>English</p>" in english
    pages.browser.post(CHOOSE, data={"language": "de"})
    german = pages.browser.get(HOME).text
    assert other.format("en", "English") in german
    assert "<p>Deutsch</p>" in german
    alone = make_host("alone", kind=PagesHost, E2ERESET_LANGUAGES=["en"])
    assert "Language" not in alone.browser.get(HOME).text
