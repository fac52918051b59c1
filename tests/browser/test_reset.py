"""The reset of a key in a browser, on both databases: by the keyboard, and without scripts."""

import pytest

from tests.kit.databases import served_database
from tests.kit.live import make_live

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def site(served_on, tmp_path_factory):
    with (
        served_database(served_on) as uri,
        make_live(tmp_path_factory.mktemp("reset"), database_uri=uri) as live,
    ):
        yield live


@pytest.fixture
def make(site):
    """Makes somebody with a password, an authenticator app and a key."""

    def make(name):
        user = site.user(name, totp=True)
        site.cli("user", "password", name, "--password-stdin", stdin=PASSWORD)
        return user

    return make


def has_key(site, name):
    return site.cli("user", "show", name)["keySet"]


def tab_to(watched, label):
    """Go by the tabulator key to what has this label or id."""
    for _ in range(60):
        watched.page.keyboard.press("Tab")
        if watched.focused() == label:
            return
    raise AssertionError(f"the tabulator key does not reach {label!r}")


def enter(watched):
    with watched.page.expect_navigation():
        watched.page.keyboard.press("Enter")


def test_the_whole_reset_by_the_keyboard(browse, site, make):
    ann = make("ann")
    watched = browse().open("/sign-in")
    for field, text in (("name", "ann"), ("password", PASSWORD)):
        tab_to(watched, field)
        watched.page.keyboard.type(text)
    enter(watched)
    tab_to(watched, "code")
    watched.page.keyboard.type(ann.backup_codes[0])
    enter(watched)
    for label in ("Reset my key", "Next: what may spare you this", "Reset my key"):
        tab_to(watched, label)
        enter(watched)
    tab_to(watched, "code")
    watched.page.keyboard.type("000000")
    enter(watched)
    watched.starts_at_errors()
    assert has_key(site, "ann")
    tab_to(watched, "code")
    watched.page.keyboard.type(ann.totp.now())
    enter(watched)
    assert watched.heading == "Your key is reset"
    watched.holds()
    assert not has_key(site, "ann")


def test_the_whole_reset_without_scripts(browse, site, make):
    ben = make("ben")
    watched = browse(scripts=False).sign_in("ben", PASSWORD, ben.backup_codes[0])
    watched.open("/security/reset")
    watched.page.get_by_role("link", name="Next: what may spare you this").click()
    watched.press("Reset my key")
    spaced = f"{ben.totp.now()[:3]} - {ben.totp.now()[3:]}"  # as people paste it
    watched.prove(spaced)
    assert watched.heading == "Your key is reset"
    assert not has_key(site, "ben")


def test_a_form_of_another_site_resets_nothing(browse, site, make):
    cat = make("cat")
    watched = browse().sign_in("cat", PASSWORD, cat.backup_codes[0])
    form = f'<form method="post" action="{site.url}/security/reset"><button>Win</button></form>'
    watched.page.goto("data:text/html," + form)
    watched.press("Win")
    assert watched.page.inner_text("h1") != "Prove that it is you"
    assert has_key(site, "cat")
