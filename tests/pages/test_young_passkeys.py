"""A passkey of one's own proves no sign-in that is older, and a code for an app only by itself."""

import pytest

from e2ereset import Caller, Proof
from e2ereset.errors import NoFactor
from e2ereset.factors.passkey_codes import PasskeyCodes
from tests.kit.pages import browser_of, prove
from tests.kit.passkeys import SETTINGS, add, asked

PASSWORD = "a long password"


@pytest.fixture
def config(config):
    return config | SETTINGS


def test_a_new_passkey_proves_no_sign_in_that_is_older(world):
    dora = world.person("dora", password=PASSWORD)
    older = browser_of(world, dora)
    world.clock.tick(1)
    key = add(older, code=PASSWORD)
    assert "You cannot use it in this sign-in, which is older." in older.get("/security/").text
    led = older.post("/security/passkeys/remove", data={"key": "any"})
    page = older.get(led.location).text
    assert ("Use your passkey" in page, "Your password" in page) == (False, True)
    newer = browser_of(world, world.again(dora))
    assert "You can use it in this sign-in." in newer.get("/security/").text
    led = newer.post("/security/reset", data={"plan": "0" * 64})
    options = asked(newer.get(led.location).text)
    proven = prove(newer, led, key.sign(options))
    assert "has changed since you looked" in proven.text


def test_no_token_that_skips_the_proof_shows_a_code(world):
    root = world.person("root", roles=["admin"], password=PASSWORD)
    world.person("bob")
    add(browser_of(world, root), code=PASSWORD)
    world.clock.tick(1)
    world.reset(world.again(root), {"username": "bob"}, method="passkey")
    codes, now = PasskeyCodes(world.runtime, world.runtime.stepup), world.clock.now
    token = Caller(account=world.account(root), bypasses_two_factor=True)
    (action,) = codes.waiting(token, now)
    with pytest.raises(NoFactor):
        codes.show(token, action.name, Proof(), now)
