"""The code that a page shows after a passkey, for clients that know only codes."""

import pytest

from tests.kit.pages import browser_of
from tests.kit.passkeys import CODE, SETTINGS, SHOWN, add, code_for
from tests.kit.world import error


@pytest.fixture
def config(config):
    return config | SETTINGS


class Root:
    """An administrator with a passkey, a browser and a client that knows only codes."""

    def __init__(self, world):
        self.world = world
        person = world.person("root", roles=["admin"], password="a long password")
        self.key = add(browser_of(world, person), code="a long password")
        world.clock.tick(1)
        self.person = world.again(person)
        self.browser = browser_of(world, person)

    def reset(self, name, **proof):
        return self.world.reset(self.person, {"username": name}, **proof)

    def code(self):
        return code_for(self.browser, self.key)


@pytest.fixture
def root(world):
    for name in ("bob", "carol"):
        world.person(name)
    return Root(world)


def test_a_code_is_for_what_the_client_asks(world, root):
    assert "No app has asked" in root.browser.get(CODE).text
    assert root.reset("bob").json["details"]["codePage"].endswith(CODE)
    assert "reset the E2E key of bob" in root.browser.get(CODE).text
    code = root.code()
    assert "No app has asked" in root.browser.get(CODE).text
    assert error(root.reset("carol", code=code)) == "totp-invalid"
    assert root.reset("bob", code=code).json == {"success": True}
    assert error(root.reset("bob", code=code)) == "totp-invalid"
    rows = [row[3:] for row in world.outcomes() if row[0] == "reset-e2e-key"]
    assert ("passkey", "code-shown") in rows
    assert [method for method, outcome in rows if outcome in ("done", "reset")] == ["passkey"]


def test_a_code_is_for_nobody_else_whom_the_client_asks_for_meanwhile(root):
    root.reset("bob")
    code = root.code()
    root.reset("carol")
    assert error(root.reset("carol", code=code)) == "totp-invalid"
    root.reset("bob")
    assert root.reset("bob", code=code).json == {"success": True}


@pytest.mark.parametrize("seconds", [59, 60])
def test_it_lives_sixty_seconds(world, root, seconds):
    root.reset("bob")
    code = root.code()
    world.clock.tick(seconds)
    answer = root.reset("bob", code=code.replace("-", ""), method="passkey")
    assert (answer.status_code == 200) is (seconds == 59)


def test_a_client_that_knows_three_methods_gives_it_for_a_mailed_code(root):
    told = root.reset("bob").json["details"]
    assert (told["method"], told["emailOrUsername"]) == ("email", "root")
    assert root.reset("bob", method="passkey").json["details"]["method"] == "passkey"
    wrong = root.reset("bob", method="email", code="000000")
    assert (error(wrong), wrong.json["details"]["method"]) == ("totp-invalid", "email")
    assert root.reset("bob", method="email", code=root.code()).status_code == 200


def test_the_page_says_what_it_is_for_in_the_language_of_its_reader(root):
    root.reset("bob")
    page = root.browser.get(CODE, headers={"Accept-Language": "de"}).text
    assert "den E2E-Schlüssel von bob zurückzusetzen" in page


def test_asking_again_leaves_it_as_good(root):
    root.reset("bob")
    code = root.code()
    root.reset("bob")
    assert root.reset("bob", code=code).status_code == 200


def test_a_code_makes_no_other_code(root):
    root.reset("bob")
    code = root.code()
    root.reset("bob")
    led = root.browser.post(CODE, data={"act": "reset-e2e-key"})
    refused = root.browser.post(led.location, data={"code": code, "method": "passkey"})
    assert (refused.status_code, SHOWN.search(refused.text)) == (400, None)
    assert root.reset("bob", code=code).status_code == 200


def test_another_method_shows_none(world, root):
    world.runtime.factors.set_email(world.account(root.person), True)
    world.client.post(
        "/api/v1/users.resetE2EKey",
        json={"username": "bob"},
        headers={**root.person.headers, "x-2fa-method": "passkey"},
    )
    led = root.browser.post(CODE, data={"act": "reset-e2e-key"})
    root.browser.post(led.location, data={"method": "email"})
    refused = root.browser.post(led.location, data={"method": "email", "code": "123456"})
    assert (refused.status_code, SHOWN.search(refused.text)) == (400, None)


@pytest.mark.parametrize("act", ["enable-passkey", "nothing"])
def test_nothing_is_shown_for_what_nobody_asked(root, act):
    assert root.browser.post(CODE, data={"act": act}).location == CODE
