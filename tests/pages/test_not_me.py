"""It was not me: what the page says and does, and the way back."""

import pytest

from e2ereset import Caller, Proof
from tests.kit.pages import browser_of, prove
from tests.kit.states import enrol_totp

PAGE, HOME, RESET = "/security/not-me", "/security/", "/security/reset"
HELD, LIFT = "Resets of your key are held until", "/security/not-me/lift"
TOO_YOUNG = "Only a second factor that is older than the hold lifts it. Ask your administrator."


def offered(browser):
    """Whether every page that tells of the hold has the button that lifts it; else none has it."""
    pages = [browser.get(page).text for page in (HOME, RESET, PAGE)]
    assert all(HELD in text for text in pages)
    buttons = {f'action="{LIFT}"' in text for text in pages}
    assert {TOO_YOUNG not in text for text in pages} == buttons
    return buttons.pop() if len(buttons) == 1 else None


@pytest.fixture
def again(world):
    """The browser of who has signed in again, a minute later."""

    def again(person):
        world.clock.now += 60
        return browser_of(world, world.again(person))

    return again


def test_the_page_says_what_it_does_and_does_nothing(world, bob):
    browser = browser_of(world, bob)
    for page in (HOME, "/security/history"):
        assert f'href="{PAGE}"' in browser.get(page).text
    assert "It ends all your sign-ins" in browser.get(PAGE).text
    assert HELD not in browser.get(HOME).text + browser.get(RESET).text
    assert world.tokens(bob) == 1


def test_one_click_ends_the_sign_ins_and_says_what_to_do(world, bob):
    world.sign_in(bob.id, name="script", expires_at=None)
    browser = browser_of(world, bob)
    done = browser.post(PAGE)
    assert (done.status_code, world.tokens(bob), world.has_key(bob)) == (200, 0, True)
    asked = ("Change your password.", "Look at your second factors on My security.")
    for words in ("18 January 2027, 08:00 UTC", "have ended", *asked):
        assert words in done.text
    assert browser.get(HOME).location.startswith("/sign-in")
    assert world.outcomes()[-1] == ("hold-resets", bob.id, bob.id, "off", "held")


def test_while_it_is_on_the_pages_say_so_and_no_reset_passes(world, bob, again):
    world.clock.now += 1
    browser_of(world, bob).post(PAGE)
    browser = again(bob)
    assert offered(browser) is True
    assert "Next: what may spare you this" not in browser.get(RESET).text
    assert browser.get(f"{RESET}/before").location == RESET
    mine = Caller(account=world.account(bob))
    plan = world.runtime.resets.preview(mine, None, world.clock.now).digest
    led = browser.post(RESET, data={"plan": plan})
    refused = prove(browser, led, world.code(bob))
    assert refused.status_code == 400
    assert "Your key was not reset: resets of it are held." in refused.text
    assert "Reset my key: what you lose" in refused.text
    assert world.has_key(bob)


def test_an_older_factor_lifts_it_over_the_page_of_the_proof(world, bob, again):
    world.clock.now += 1
    browser_of(world, bob).post(PAGE)
    browser = again(bob)
    led = browser.post(LIFT)
    assert "lift the hold on resets of bob" in browser.get(led.location).text
    home = browser.get(prove(browser, led, world.code(bob)).location).text
    assert "Resets of your key are not held any more." in home
    assert HELD not in home


def test_the_password_does_not_lift_it(world, again):
    dora = world.person("dora", password="pw")
    browser_of(world, dora).post(PAGE)
    browser = again(dora)
    assert offered(browser) is False
    refused = browser.post(LIFT)
    assert (refused.status_code, TOO_YOUNG in refused.text) == (400, True)
    assert HELD in browser_of(world, dora).get(HOME).text


def test_a_younger_factor_does_not_lift_it(world, again):
    dora = world.person("dora")
    browser_of(world, dora).post(PAGE)
    world.clock.now += 60
    mine = Caller(account=world.account(dora))
    world.runtime.own_factors.set_email(mine, True, Proof(), world.clock.now)
    browser = again(dora)
    assert offered(browser) is False
    refused = browser.post(LIFT)
    assert (refused.status_code, TOO_YOUNG in refused.text) == (400, True)


@pytest.mark.parametrize("why", ["enrolled since", "locked", "off", "no method"])
def test_who_could_not_lift_it_is_told_what_to_do(world, bob, again, with_settings, why):
    if why == "locked":
        world.fail(bob)
    person = world.person("dora") if why == "enrolled since" else bob
    world.clock.now += 1
    browser_of(world, world.again(person)).post(PAGE)
    browser = again(person)
    if why == "enrolled since":  # by an operator: it counts for every sign-in, however old
        enrol_totp(world.runtime, person)
    elif why == "off":
        browser = browser_of(with_settings(E2ERESET_TWO_FACTOR=False), world.again(person))
    elif why == "no method":
        strict = with_settings(E2ERESET_METHODS=["email", "password"])
        browser = browser_of(strict, world.again(person))
    assert offered(browser) is False
