"""My security offers the methods of the server alone."""

import pytest

from tests.kit.client import API
from tests.kit.pages import browser_of

HOME, USABLE = "/security/", "You can use it in this sign-in."
OF = {
    "totp": ("Authenticator app", ("authenticator", "backup-codes"), "Set up the auth"),
    "email": ("Codes by e-mail", ("email/on",), "None is on."),
}


@pytest.mark.parametrize("method", OF)
def test_what_is_no_method_of_the_server_is_not_offered(world, with_settings, method):
    kind, pages, advice = OF[method]
    has = world.person("has", **{method: True}, password="pw")
    lacks = world.person("lacks", password="pw")
    home = browser_of(world, has).get(HOME).text
    assert (kind in home, USABLE in home) == (True, True)
    assert advice in browser_of(world, lacks).get(HOME).text
    others = [*({*OF} - {method}), "password"]
    strict = with_settings(E2ERESET_METHODS=others)
    browser = browser_of(strict, has)
    home = browser.get(HOME).text
    assert (kind in home, USABLE in home, "None is on." in home) == (False, False, True)
    if method == "totp":
        assert advice not in home
    assert {browser.get(f"{HOME}{page}").status_code for page in pages} == {404}
    told = strict.client.get(f"{API}users.2fa.status", headers=has.headers).json
    assert told[method]["provesThisSignIn"] is False


def test_of_what_is_no_method_of_the_server_nobody_is_told_in_the_console(world, with_settings):
    boss, eve = world.person("boss", roles=("admin",)), world.person("eve", email=True)
    strict = browser_of(with_settings(E2ERESET_METHODS=["totp", "password"]), boss)
    assert "Codes by e-mail" in browser_of(world, boss).get(f"/admin/people/{eve.id}").text
    assert "None is on." in strict.get(f"/admin/people/{eve.id}").text
