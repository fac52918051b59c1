"""What the operator of a host does for somebody who lost a phone."""

import json

import pyotp
import pytest

from e2ereset import factor_disabled, factor_enabled
from e2ereset.records import iso
from e2ereset.testing import Mailbox, enable_email, enrol_totp, make_account
from tests.kit.commands import error_of, operator_acts
from tests.kit.host import BOB, SUE


@pytest.fixture
def host(make_host):
    """A host that does not count requests."""
    return make_host(RATELIMIT_ENABLED=False)


@pytest.fixture
def run(host):
    """Runs a command of the group `factor`; what it printed as JSON."""

    def run(*words):
        result = host.run("e2ereset", "factor", *words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    return run


def test_the_factors_of_an_account_are_listed(host, run):
    enabled, device = iso(host.clock.now), enrol_totp(host.app, BOB)
    host.clock.tick(3600)
    used = iso(host.clock.now)
    assert host.reset(BOB, device.backup_codes[0]).status_code == 200
    host.clock.tick(3600)
    assert run("list", "BOB") == {
        "userId": BOB.id,
        "username": "bob",
        "totp": True,
        "totpEnabledAt": enabled,
        "totpLastUsedAt": used,
        "email": False,
        "emailEnabledAt": None,
        "emailLastUsedAt": None,
        "passkey": False,
        "passkeyEnabledAt": None,
        "passkeyLastUsedAt": None,
        "backupCodesLeft": 11,
        "locked": [],
    }


def test_no_secret_is_listed(host):
    device = enrol_totp(host.app, BOB)
    output = host.run("e2ereset", "factor", "list", "bob").output
    assert "totp             yes" in output
    assert not [code for code in (device.secret, *device.backup_codes) if code in output]


def test_a_lost_phone_is_good_for_nothing_audited_and_told(host, run):
    device, mailbox = enrol_totp(host.app, BOB), Mailbox(host.app)
    mailbox.clear()
    done = run("disable", "bob", "--reason", "phone lost")
    assert done == {"userId": BOB.id, "method": "totp", "disabled": True}
    assert operator_acts(host.runtime) == [("disable-totp", BOB.id, "done", "phone lost")]
    assert "The authenticator app was switched off" in mailbox.messages_to(BOB.emails[0])[0].text
    refused = [host.reset(BOB, code).json for code in (device.code(), device.backup_codes[0])]
    assert {said["errorType"] for said in refused} == {"error-two-factor-not-available"}


def test_codes_by_email_are_disabled(host, run):
    enable_email(host.app, BOB)
    assert run("disable", "bob", "--method", "email")["disabled"]
    assert operator_acts(host.runtime) == [("disable-email-codes", BOB.id, "done", "")]
    assert not host.runtime.factors.status(BOB.id).email


@pytest.mark.parametrize("method", ["totp", "email"])
def test_what_is_off_already_is_said_and_leaves_no_trace(host, run, method):
    assert not run("disable", "bob", "--method", method)["disabled"]
    assert (operator_acts(host.runtime), Mailbox(host.app).deliver()) == ([], [])


def test_locked_methods_are_unlocked(host, run):
    device = enrol_totp(host.app, BOB)
    for _ in range(20):
        host.wrong(BOB, 5)
        host.clock.tick(86400)
    assert host.reset(BOB, device.code()).json["errorType"] == "totp-max-attempts"
    assert run("list", "bob")["locked"] == ["verify:totp"]
    assert run("unlock", "bob", "--reason", "asked")["unlocked"] == ["verify:totp"]
    assert operator_acts(host.runtime) == [("unlock-factor", BOB.id, "unlocked", "asked")]
    assert host.reset(BOB, device.code()).status_code == 200


def test_an_account_is_found_by_its_id_when_that_is_said(host, run):
    host.accounts.accounts["x"] = make_account(BOB.id, id="x")  # a name that is another's id
    assert run("list", BOB.id)["userId"] == "x"
    assert run("list", BOB.id, "--id")["userId"] == BOB.id


@pytest.mark.parametrize("flag", [(), ("--id",)])
@pytest.mark.parametrize("command", ["list", "disable", "unlock"])
def test_an_unknown_account_is_one_clear_line(host, command, flag):
    said = error_of(host.run("e2ereset", "factor", command, "nobody", *flag))
    assert "There is no account of the" in said


def test_the_host_hears_of_factors_that_come_and_go(host, run, hears):
    came, went = hears(factor_enabled), hears(factor_disabled)
    factors = host.runtime.factors
    enrol_totp(host.app, BOB)
    enable_email(host.app, SUE)
    run("disable", "bob")
    run("disable", "bob")
    factors.set_email(SUE, False)
    changed = [{"account": BOB, "method": "totp"}, {"account": SUE, "method": "email"}]
    assert [facts for _, facts in came] == changed
    assert [facts for _, facts in went] == changed


def test_an_enrolment_is_heard_of_when_it_is_confirmed(host, hears):
    came = hears(factor_enabled)
    secret = host.runtime.factors.begin_totp(BOB).secret
    assert came == []
    host.runtime.factors.confirm_totp(BOB, pyotp.TOTP(secret).at(host.clock.now))
    assert [(sender, facts["method"]) for sender, facts in came] == [(host.app, "totp")]


def test_an_operator_holds_resets_and_lets_them_go_again(host):
    device, mailbox = enrol_totp(host.app, BOB), Mailbox(host.app)
    mailbox.clear()
    held = host.run("e2ereset", "hold", "start", "bob", "--reason", "by phone", "--json")
    assert json.loads(held.output) == {
        "userId": BOB.id,
        "username": "bob",
        "heldUntil": iso(host.clock.now + 72 * 3600),
    }
    assert host.run("e2ereset", "hold", "show", BOB.id, "--id", "--json").output == held.output
    assert host.reset(BOB, device.code()).json["errorType"] == "error-reset-held"
    assert "not held any more" in host.run("e2ereset", "hold", "lift", "bob").output
    assert "are not held." in host.run("e2ereset", "hold", "lift", "bob").output
    host.clock.tick(60)
    assert host.reset(BOB, device.code()).status_code == 200
    acts = [("hold-resets", BOB.id, "held", "by phone"), ("lift-reset-hold", BOB.id, "lifted", "")]
    assert operator_acts(host.runtime) == acts
    assert "held for 72 hours" in mailbox.messages_to(BOB.emails[0])[0].text
