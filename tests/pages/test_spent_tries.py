"""Who is led to the page of the proof without a try left, or a mail, is told so there."""

import re
from contextlib import suppress

import pytest

from e2ereset.errors import TooManyAttempts
from tests.kit.pages import browser_of, prove

OFF = "/security/email/off"


def spend(world, person, purpose, windows):
    now = int(world.clock())
    with suppress(TooManyAttempts):
        while True:
            world.runtime.budgets.charge(person.id, purpose, windows, now, guess=False)


@pytest.mark.parametrize("is_locked", [False, True])
def test_spent_tries_are_told_before_a_code_is_typed_and_while_it_lasts(world, is_locked):
    dora = world.person("dora", totp=True, email=True)
    browser = browser_of(world, dora)
    if is_locked:
        world.fail(dora)
        world.fail(dora, purpose="verify:email")
    else:
        spend(world, dora, "verify:totp", world.runtime.settings.verify_windows)
    proof = browser.post(OFF).location
    told = "locked until an administrator" if is_locked else "Too many tries. Try again in"
    assert told in browser.get(proof).text
    world.clock.tick(400)
    assert (told in browser.get(proof).text) == is_locked


def test_who_is_mailed_no_code_is_told_so_and_can_have_one_mailed_later(world):
    dora = world.person("dora", email=True)
    browser = browser_of(world, dora)
    spend(world, dora, "send:email", world.runtime.settings.send_windows)
    led = browser.post(OFF)
    page = browser.get(led.location).text
    assert re.search("No code was mailed: .* Try again in 1 minute.", page)
    assert ('id="code"' in page, "Have a code mailed" in page) == (False, True)
    still = browser.post(led.location, data={"method": "email"})
    assert (still.status_code, "No code was mailed: " in still.text) == (400, True)
    world.clock.tick(30)
    assert "No code" not in browser.get(led.location).text
    asked = browser.post(led.location, data={"method": "email"})
    assert "Code that was mailed to you" in asked.text
    assert prove(browser, led, world.mailed_code()).location.endswith("?done=email-off")
