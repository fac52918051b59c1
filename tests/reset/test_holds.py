"""A hold of resets: what it ends and refuses, and who can lift it."""

import json

import pytest
from sqlalchemy import insert

from e2ereset.errors import FactorInvalid, FactorRequired, NoFactor, NotSignedIn
from e2ereset.factors.models import Passkey
from e2ereset.permissions.targets import Targets
from e2ereset.records import Caller, Passed, Proof, iso
from e2ereset.reset.holds import HOLD_SECONDS, _is_older
from e2ereset.reset.models import ResetHold
from tests.kit.client import API, SET_KEYS
from tests.kit.people import PROOF
from tests.kit.states import enrol_totp
from tests.kit.world import error, sha256


@pytest.fixture
def holds(world):
    return world.runtime.resets.holds


def caller(world, person, **facts):
    return Caller(account=world.account(person), **facts)


def lift(world, person, code=None, method=None, **facts):
    """Lift the hold, in a sign-in that began now."""
    who = caller(world, person, signed_in_at=world.clock.now, **facts)
    proof = Proof(code=code, method=method)
    return world.runtime.resets.holds.lift(who, proof, world.clock.now)


def command(world, *words):
    return world.app.test_cli_runner().invoke(args=[*words])


def test_a_hold_ends_the_sign_ins_is_audited_and_told(world, bob, holds, clock):
    until = holds.hold(caller(world, bob), clock.now)
    assert until == clock.now + HOLD_SECONDS == holds.held_until(bob.id, clock.now)
    assert not world.tokens(bob)
    assert world.outcomes()[-1] == ("hold-resets", bob.id, bob.id, "off", "held")
    ((recipient, facts),) = world.queued("account-changed")
    assert (recipient, facts["change"]) == (
        "bob@x.org",
        "Resets of your E2E key are held for 72 hours",
    )
    assert world.has_key(bob)


def test_while_it_lasts_neither_owner_nor_administrator_resets(world, bob, admin, holds, clock):
    until = holds.hold(caller(world, bob), clock.now)
    world.again(bob)
    for person, body in ((bob, None), (admin, {"username": "bob"})):
        answer = world.reset(person, body, code=world.code(person))
        assert error(answer) == "error-reset-held"
        assert answer.json["details"] == {"until": iso(until)}
    assert world.has_key(bob)
    assert world.outcomes()[-1][-1] == "error-reset-held"
    clock.now = until - 1
    assert error(world.reset(world.again(bob), code=world.code(bob))) == "error-reset-held"
    clock.now = until
    assert holds.held_until(bob.id, clock.now) is None
    assert world.reset(world.again(bob), code=world.code(bob)).status_code == 200


@pytest.mark.parametrize("policy", ["step-up", "allow"])
def test_another_key_is_no_way_around_it(with_settings, policy):
    world = with_settings(E2ERESET_KEY_REPLACEMENT=policy)
    bob = world.person("bob", totp=True)
    world.runtime.resets.holds.hold(caller(world, bob), world.clock.now)
    body = {"public_key": "OTHER", "private_key": "W", "force": True}
    headers = world.again(bob).headers | {"x-2fa-code": world.code(bob)}
    answer = world.client.post(SET_KEYS, json=body, headers=headers)
    assert error(answer) == "error-reset-held"


def test_a_second_hold_makes_the_first_no_longer(world, bob, holds, clock):
    until = holds.hold(caller(world, bob), clock.now)
    clock.now += 60
    assert holds.hold(caller(world, bob), clock.now) == until
    clock.now = until
    assert holds.hold(caller(world, bob), clock.now) == until + HOLD_SECONDS


def test_an_older_factor_lifts_it_once(world, bob, holds, clock):
    clock.now += 1
    holds.hold(caller(world, bob), clock.now)
    clock.now += 60
    with pytest.raises(FactorRequired):
        lift(world, bob)
    with pytest.raises(FactorInvalid):
        lift(world, bob, "000000")
    assert holds.held_until(bob.id, clock.now)
    assert lift(world, bob, world.code(bob))
    assert holds.held_until(bob.id, clock.now) is None
    assert world.outcomes()[-1] == ("lift-reset-hold", bob.id, bob.id, "totp", "lifted")
    assert world.queued("account-changed")[-1][1]["change"].endswith("not held any more")
    assert not lift(world, bob)  # there is none


def test_a_factor_that_is_younger_than_the_hold_lifts_nothing(world, holds, clock):
    eve = world.person("eve", password="pw")
    holds.hold(caller(world, eve), clock.now)
    clock.now += 60
    headers = world.again(eve).headers | PROOF
    enabled = world.client.post(API + "users.2fa.enableEmail", json={}, headers=headers)
    assert enabled.status_code == 200, enabled.data
    clock.now += 60
    with pytest.raises(NoFactor):
        lift(world, eve, method="email")
    assert not world.queued("code")
    assert holds.held_until(eve.id, clock.now)


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_factor_that_an_operator_enrols_since_lifts_nothing(world, holds, clock, seconds):
    """It counts for every sign-in, however old."""
    dora = world.person("dora")
    holds.hold(caller(world, dora), clock.now)
    clock.now += seconds
    dora.totp, dora.backup_codes = enrol_totp(world.runtime, dora)
    for code in (world.code(dora), dora.backup_codes[0]):
        with pytest.raises(NoFactor, match="older than the hold"):
            lift(world, dora, code)
    assert holds.held_until(dora.id, clock.now)


def test_codes_by_mail_that_are_older_lift_it(world, eve, holds, clock):
    clock.now += 1
    holds.hold(caller(world, eve), clock.now)
    with pytest.raises(FactorRequired):
        lift(world, eve)
    assert lift(world, eve, world.mailed_code(), "email")


@pytest.mark.parametrize("words", ["email {} evil@x.org --verified", "verify {} more@x.org"])
def test_codes_by_mail_to_an_address_that_is_younger_lift_nothing(world, eve, holds, clock, words):
    assert command(world, "user", "email", "eve", "more@x.org", "--add").exit_code == 0
    clock.now += 1
    holds.hold(caller(world, eve), clock.now)
    assert command(world, "user", *words.format("eve").split()).exit_code == 0
    with pytest.raises(FactorRequired):
        lift(world, eve)
    with pytest.raises(NoFactor, match="older than the hold"):
        lift(world, eve, world.mailed_code(), "email")


@pytest.mark.parametrize(("used", "lifts"), [("old", True), ("new", False), ("old new", False)])
def test_of_two_passkeys_the_one_that_proved_it_has_to_be_older(world, bob, holds, used, lifts):
    now = world.clock.now
    facts = {"account_id": bob.id, "name": "n", "credential": "c", "transports": "", "counter": 0}
    keys = [facts | {"id": key, "created_at": at} for key, at in (("old", 3), ("new", 7))]
    with world.runtime.transactions.begin() as session:
        for key in keys:
            key["used_at"] = now if key["id"] in used else None
            session.execute(insert(Passkey), key)
        passed = Passed(session=session, method="passkey", caller=caller(world, bob))
        assert _is_older(passed, 5, now) is lifts


def test_a_hold_that_is_committed_before_the_act_holds_for_it(world, bob, admin, monkeypatch):
    """It comes when the proof was right: the reset reads it in its own transaction."""
    permitted, now = Targets.permitted, world.clock.now

    def held_meanwhile(targets, passed, *given):
        row = {"account_id": bob.id, "since": now, "until": now + 1}
        passed.session.execute(insert(ResetHold), row)
        return permitted(targets, passed, *given)

    monkeypatch.setattr(Targets, "permitted", held_meanwhile)
    answer = world.reset(admin, {"username": "bob"}, code=world.code(admin))
    assert error(answer) == "error-reset-held"
    assert (world.has_key(bob), world.tokens(bob)) == (True, 1)


def test_neither_the_password_nor_a_token_that_skips_the_proof_lifts_it(world, bob, holds, clock):
    eve = world.person("eve", password="pw")
    for person in (eve, bob):
        holds.hold(caller(world, person), clock.now)
    with pytest.raises(NoFactor):
        lift(world, eve, sha256("pw"), "password")
    with pytest.raises(NoFactor):
        lift(world, bob, bypasses_two_factor=True)
    assert holds.held_until(eve.id, clock.now)
    assert holds.held_until(bob.id, clock.now)


def test_a_sign_in_that_has_ended_holds_nothing(world, bob, holds, clock):
    known = world.runtime.accounts.list_sign_ins
    with world.runtime.transactions.begin() as session:
        (one,) = known(session, bob.id, clock.now)
        world.runtime.accounts.end_sessions(session, bob.id)
    with pytest.raises(NotSignedIn):
        holds.hold(caller(world, bob, sign_in=one.sign_in), clock.now)
    assert holds.held_until(bob.id, clock.now) is None


def test_an_operator_holds_lifts_and_is_told_before_a_reset(world, bob, holds, clock):
    assert "not held" in command(world, "hold", "show", "bob").output
    held = command(world, "hold", "start", "bob", "--reason", "by phone", "--json")
    assert command(world, "hold", "show", bob.id, "--id", "--json").output == held.output
    assert json.loads(held.output)["heldUntil"] == iso(clock.now + HOLD_SECONDS)
    assert not world.tokens(bob)
    refused = command(world, "user", "reset-key", "bob", "--reason", "x")
    assert refused.exit_code != 0
    assert "--despite-hold" in refused.output
    assert world.has_key(bob)
    assert (
        command(world, "user", "reset-key", "bob", "--reason", "x", "--despite-hold").exit_code == 0
    )
    assert not world.has_key(bob)
    assert holds.held_until(bob.id, clock.now)
    lifted = command(world, "hold", "lift", "bob")
    assert "not held any more" in lifted.output
    assert json.loads(command(world, "hold", "lift", "bob", "--json").output)["lifted"] is False
    rows = [row for row in world.outcomes() if "hold" in row[0]]
    assert [row[0] for row in rows] == ["hold-resets", "lift-reset-hold"]
    assert rows[0][1].startswith("operator:")
