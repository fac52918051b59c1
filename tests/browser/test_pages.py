"""The pages in a real browser: reachable for everybody, quiet, small, and alone."""

import pytest

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def ann(site):
    """Somebody with a password and an authenticator app."""
    user = site.user("ann", totp=True)
    site.cli("user", "password", "ann", "--password-stdin", stdin=PASSWORD)
    return user


def test_signing_in(browse, ann):
    watched = browse().open("/sign-in")
    watched.holds()
    watched.fill("name", "ann")
    watched.fill("password", "wrong")
    watched.press("Sign in")
    watched.holds()
    watched.starts_at_errors()
    watched.sign_in("ann", PASSWORD)
    assert watched.heading == "Prove that it is you"
    watched.holds()
    watched.prove("00 00-00")
    watched.starts_at_errors()
    watched.holds()
    watched.prove(ann.totp.now())
    assert watched.heading == "My security"
    watched.holds()


# The page as it stands in the base template of a host that has neither dark colours nor our body.
HOSTED = """document.body.className = "";
document.querySelector("meta[name=color-scheme]").remove();
document.styleSheets[0].insertRule(":root { --e2e-main: rgb(1, 2, 3); }", 0);"""
COLOURS = """["h1", "input", "button"].map(name => {
    const style = getComputedStyle(document.querySelector(`main ${name}:not([type=hidden])`));
    return [style.color, style.backgroundColor];
})"""


def test_a_host_without_dark_colours_stays_light_and_has_its_own(browse):
    page = browse(color_scheme="dark").open("/sign-in").page
    assert page.evaluate(COLOURS)[0][0] == "rgb(242, 242, 242)"
    page.evaluate(HOSTED)
    (heading, _), (text, back), (_, button) = page.evaluate(COLOURS)
    assert (heading, text, back) == ("rgb(0, 0, 0)", "rgb(26, 26, 26)", "rgb(255, 255, 255)")
    assert button == "rgb(1, 2, 3)"
