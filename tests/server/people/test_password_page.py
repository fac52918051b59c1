"""The page of one's password: what it takes, what it asks for, and what ends."""

import pytest

from tests.kit.pages import browser_of, prove

PAGE, OLD, NEW = "/account/password", "a long password", " quite another one "


@pytest.fixture
def dora(world):
    return world.person("dora", password=OLD)


@pytest.fixture
def browser(world, dora):
    return browser_of(world, dora)


def change(browser, new=NEW, again=None):
    return browser.post(PAGE, data={"new": new, "again": new if again is None else again})


def sign_in(world, password):
    return world.app.test_client().post("/sign-in", data={"name": "dora", "password": password})


def test_a_password_is_changed_by_the_old_one_and_ends_the_other_sign_ins(world, dora, browser):
    other = browser_of(world, world.again(dora))
    assert f'href="{PAGE}"' in browser.get("/security/").text
    led = change(browser)
    assert "password of dora" in browser.get(led.location).text
    assert prove(browser, led, "wrong", method="password").status_code == 400
    done = prove(browser, led, OLD, method="password")
    assert "Your password is changed." in browser.get(done.location).text
    assert other.get("/security/").location.startswith("/sign-in")
    assert [sign_in(world, one).status_code for one in (OLD, NEW.strip(), NEW)] == [401, 401, 303]
    assert world.outcomes()[-2][:4] == ("set-password", dora.id, dora.id, "password")


def test_who_has_a_second_factor_proves_by_it(world):
    zoe = world.person("zoe", password=OLD, totp=True)
    browser = browser_of(world, zoe)
    led = change(browser)
    assert prove(browser, led, OLD, method="password").status_code == 400
    assert prove(browser, led, world.code(zoe)).status_code == 303


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("", ""), "Type the new password twice."),
        ((NEW, NEW.strip()), "The two are not the same."),
        (("short", "short"), "too short, or too easy to guess"),
        (("password1", "password1"), "too short, or too easy to guess"),
    ],
)
def test_a_password_that_will_not_do_is_told_so(world, browser, typed, words):
    again = change(browser, *typed)
    assert (again.status_code, words in again.text) == (400, True)
    assert 'href="#new"' in again.text
    assert typed[0] == "" or f'"{typed[0]}"' not in again.text
    assert sign_in(world, OLD).status_code == 303
