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
    assert watched.focused() == "e2e-errors"
    watched.sign_in("ann", PASSWORD)
    assert watched.heading == "Prove that it is you"
    watched.holds()
    watched.prove("00 00-00")
    assert watched.focused() == "e2e-errors"
    watched.holds()
    watched.prove(ann.totp.now())
    assert watched.heading == "My security"
    watched.holds()
