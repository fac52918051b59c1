"""Mailed codes at a reset, over HTTP (SPEC 2)."""

import pytest
from sqlalchemy import update

from e2ereset.crypto import KeyRing
from e2ereset.factors.models import EmailChallenge
from e2ereset.server.people.models import Email
from tests.kit.rows import row
from tests.kit.world import error, sha256


@pytest.fixture
def admin(world):
    """An administrator with mailed codes, and two people whom they may reset."""
    for name in ("bob", "carl"):
        world.person(name)
    return world.person("root", email=True, roles=["admin"])


@row("12.6.5.4", "13.forgot.11")
def test_a_challenge_by_mail_says_what_was_sent(world, eve):
    response = world.reset(eve)
    assert response.json["details"] == {
        "method": "email",
        "codeGenerated": True,
        "codeCount": 1,
        "codeExpires": ["2027-01-15T08:10:00.000Z"],
        "emailOrUsername": "eve",
        "availableMethods": ["email"],
    }
    (recipient, facts), *more = world.queued("code")
    assert (recipient, more) == ("eve@x.org", [])
    assert facts["phrase"] == "reset the E2E key of eve"
    assert len(facts["code"]) == 7
    assert facts["code"][3] == "-"


def test_a_live_code_is_not_mailed_again(world, eve):
    world.reset(eve)
    world.clock.now += 60
    details = world.reset(eve).json["details"]
    assert (details["codeGenerated"], details["codeCount"]) == (False, 1)
    assert len(world.queued("code")) == 1


@row("9.32", "11.N5", "12.6.5.1", "12.v4.2.7.3", "13.mfa.2", "13.mfa.4")
def test_a_mailed_code_passes_once(world, eve):
    world.reset(eve)
    code = world.mailed_code()
    assert world.reset(eve, code=code).status_code == 200
    assert world.rows(EmailChallenge) == []
    assert error(world.reset(world.again(eve), code=code)) == "totp-invalid"


@row("10.5", "11.N4", "12.6.5.5", "12.v4.2.7.2", "13.2.9")
@pytest.mark.parametrize("late", [0, 1, 299])
def test_a_mailed_code_expires_and_makes_room(world, eve, late):
    world.reset(eve)
    world.clock.now += 600 + late
    assert error(world.reset(eve, code=world.mailed_code())) == "totp-invalid"
    assert world.reset(eve).json["details"]["codeGenerated"] is True


@row("10.2", "12.2.3.1", "13.2.5")
def test_a_code_before_its_challenge_is_invalid_and_mails_nothing(world, eve):
    assert error(world.reset(eve, code="123456")) == "totp-invalid"
    assert world.count_codes() == 0
    assert world.rows(EmailChallenge) == []


@row("11.N6", "13.2.10", "13.forgot.6")
def test_no_two_challenges_share_a_code(world, eve):
    seen = set()
    for _ in range(8):
        world.clock.now += 6001
        world.reset(eve)
        seen.add((world.mailed_code(), world.rows(EmailChallenge)[0].digest))
    assert len({code for code, _ in seen}) == len({digest for _, digest in seen}) == 8


@row("13.mfa.8")
@pytest.mark.parametrize("digits", [8, 10])
def test_a_code_may_have_more_digits(world, with_settings, digits, eve):
    with_settings(E2ERESET_EMAIL_CODE_DIGITS=digits).reset(eve)
    assert len(world.mailed_code()) == digits + 1


@row("13.mfa.10")
def test_a_digest_is_worth_nothing_without_the_secret_key(world, eve):
    world.reset(eve)
    code, stands = world.mailed_code().replace("-", ""), world.rows(EmailChallenge)[0].digest
    assert sha256(code) not in stands
    bound = ("email code", eve.id, "reset-e2e-key", eve.id, code)
    assert world.runtime.keyring.matches(stands, *bound)
    assert not KeyRing(["somebody else's key"]).matches(stands, *bound)


@row("9.39", "13.mfa.3", "13.2.4")
def test_a_mailed_code_is_dead_after_five_wrong_tries(world, eve):
    world.reset(eve)
    assert world.wrong(eve, 5) == ["totp-invalid"] * 5
    world.clock.now += 300
    assert error(world.reset(eve, code=world.mailed_code())) == "totp-invalid"


@row("9.47", "12.6.6.2", "13.1.1", "13.1.5", "13.2.3", "13.2.6")
def test_a_code_for_one_target_is_worth_nothing_for_another(world, admin):
    world.reset(admin, {"username": "bob"})
    assert world.queued("code")[0][1]["phrase"] == "reset the E2E key of bob"
    code = world.mailed_code()
    assert error(world.reset(admin, {"username": "carl"}, code=code)) == "totp-invalid"
    assert world.outcomes()[-1][2:] == ("id-of-carl", "email", "totp-invalid")
    assert error(world.reset(admin, code=code)) == "totp-invalid"
    assert world.reset(admin, {"userId": "id-of-bob"}, code=code).status_code == 200


@row("12.v4.2.7.3", "13.1.4", "13.forgot.12")
def test_a_code_for_another_action_is_worth_nothing(world):
    eve = world.person("eve", email=True, password="pw")
    assert error(world.login("eve")) == "totp-required"
    assert world.queued("code")[0][1]["phrase"] == "sign in as eve"
    code = world.mailed_code()
    assert error(world.reset(eve, code=code)) == "totp-invalid"
    assert world.login("eve", code=code).status_code == 200


@row("9.36")
def test_a_new_code_for_another_target_replaces_the_old_one(world, admin):
    world.reset(admin, {"username": "bob"})
    old = world.mailed_code()
    world.clock.now += 31
    world.reset(admin, {"username": "carl"})
    assert error(world.reset(admin, {"username": "bob"}, code=old)) == "totp-invalid"
    assert len(world.rows(EmailChallenge)) == 1


def test_only_verified_addresses_get_codes(world):
    mixed = world.person("mixed", email=True, emails=["a@x.org", "b@x.org!"])
    world.reset(mixed)
    assert [to for to, _ in world.queued("code")] == ["a@x.org"]


def test_without_a_verified_address_the_method_is_not_usable(world):
    nobody = world.person("nobody", email=True)
    with world.runtime.transactions.begin() as session:
        session.execute(update(Email).values(verified=False))
    assert error(world.reset(nobody)) == "error-two-factor-not-available"
