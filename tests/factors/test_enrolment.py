"""Enrolling and disabling second factors says what it did, and does what it says (SPEC 2)."""

import random
import secrets

import pyotp
import pytest
from sqlalchemy import update

from e2ereset.errors import EnrolmentInvalid, FactorAlreadyEnabled, NoVerifiedAddress
from e2ereset.factors.models import BackupCode, Totp
from e2ereset.pages.qr import qr_code
from e2ereset.server.people.models import Email
from e2ereset.store.tables import table
from e2ereset.testing import Mailbox, make_account
from tests.kit.rows import row
from tests.kit.states import enrol_totp
from tests.kit.world import error


@pytest.fixture
def factors(world):
    return world.runtime.factors


@pytest.fixture
def dave(world):
    return world.person("dave")


def test_a_first_code_confirms_right_after_a_used_code(world, bob, factors):
    world.reset(bob, code=bob.totp.at(world.clock.now + 30))
    account = world.account(bob)
    factors.disable_totp(account)
    bob.totp = pyotp.TOTP(factors.begin_totp(account).secret)
    assert len(factors.confirm_totp(account, world.code(bob))) == 12
    assert factors.status(bob.id).totp


def test_a_username_of_any_length_and_script_fits_into_a_qr_code(factors):
    for letter in ("a", "\N{CJK UNIFIED IDEOGRAPH-540D}", "\N{GRINNING FACE}"):
        account = make_account(letter * 255, id=letter)
        assert qr_code(factors.begin_totp(account).url).startswith("<svg")


def test_no_code_passes_again_after_a_new_enrolment_of_the_same_secret(world, bob, factors):
    code, secret = world.code(bob), bob.totp.secret
    world.reset(bob, code=code)
    factors.disable_totp(world.account(bob))
    enrol_totp(world.runtime, bob, secret=secret)
    world.again(bob)
    assert error(world.reset(bob, code=code)) == "totp-invalid"
    world.clock.now += 30
    assert world.reset(bob, code=world.code(bob)).status_code == 200


def test_a_code_that_a_pending_secret_has_used_does_not_confirm_it(world, dave, factors):
    account = world.account(dave)
    totp = pyotp.TOTP(factors.begin_totp(account).secret)
    with world.runtime.transactions.begin() as session:
        session.execute(update(table(Totp)).values(last_step=world.clock.now // 30))
    with pytest.raises(EnrolmentInvalid):
        factors.confirm_totp(account, totp.at(world.clock.now))
    assert not factors.status(dave.id).totp
    assert factors.confirm_totp(account, totp.at(world.clock.now + 30))


def test_an_enabled_totp_is_not_enrolled_over(world, bob, factors):
    before = world.told()
    for enrol_again in (factors.begin_totp, factors.enrol_totp):
        with pytest.raises(FactorAlreadyEnabled):
            enrol_again(world.account(bob))
    assert world.told() == before
    assert world.reset(bob, code=world.code(bob)).status_code == 200


@pytest.mark.parametrize("secret", ["", "x", "ABCDEFGH", "0" * 32, "é" * 32])
def test_what_is_no_secret_is_not_enrolled(world, dave, factors, secret):
    with pytest.raises(EnrolmentInvalid):
        factors.enrol_totp(world.account(dave), secret=secret)
    assert world.told() == []


def test_a_secret_from_elsewhere_is_taken_as_apps_show_it(world, dave, factors):
    secret = "jbsw y3dp ehpk 3pxp jbsw y3dp ehpk 3pxp"
    dave.totp, _ = enrol_totp(world.runtime, dave, secret=secret)
    assert dave.totp.secret == "JBSWY3DPEHPK3PXP" * 2
    assert world.reset(dave, code=world.code(dave)).status_code == 200


@row("13.mfa.17")
def test_disabling_tells_the_owner_once(world, bob, factors):
    account = world.account(bob)
    assert factors.disable_totp(account) is True
    assert factors.disable_totp(account) is False
    assert world.told().count("The authenticator app was switched off") == 1
    assert not world.rows(BackupCode)


def test_disabling_what_is_not_enabled_tells_nobody_and_ends_a_pending_one(world, dave, factors):
    account = world.account(dave)
    totp = pyotp.TOTP(factors.begin_totp(account).secret)
    assert factors.disable_totp(account) is False
    with pytest.raises(EnrolmentInvalid):
        factors.confirm_totp(account, totp.at(world.clock.now))
    assert world.told() == []


@row("12.6.3.7")
def test_mailed_codes_are_told_of_only_when_they_change(world, dave, factors):
    account = world.account(dave)
    changes = [factors.set_email(account, on) for on in (False, True, True, False, False)]
    assert changes == [False, True, False, True, False]
    assert world.told() == ["Codes by e-mail were switched on", "Codes by e-mail were switched off"]


def test_a_code_is_dead_once_mailed_codes_were_disabled(world, eve, factors):
    world.reset(eve)
    for enabled in (False, True):
        factors.set_email(world.account(eve), enabled)
    assert error(world.reset(eve, code=world.mailed_code())) == "totp-invalid"


def test_mailed_codes_need_a_verified_address(world, factors):
    person = world.person("nobody", emails=["b@x.org!"])
    with pytest.raises(NoVerifiedAddress):
        factors.set_email(world.account(person), True)
    assert not factors.status(person.id).email


def test_mailed_codes_can_be_disabled_without_an_address(world, eve, factors):
    with world.runtime.transactions.begin() as session:
        session.execute(update(Email).values(verified=False))
    assert factors.set_email(world.account(eve), False) is True


def test_an_operators_enrolment_opens_what_was_locked(world, bob, factors):
    world.fail(bob)
    factors.disable_totp(world.account(bob))
    bob.totp, _ = enrol_totp(world.runtime, bob)
    assert world.reset(bob, code=world.code(bob)).status_code == 200


@row("9.9", "11.N11")
def test_a_secret_has_160_bits(world, dave, factors):
    for begin in (factors.begin_totp, factors.enrol_totp):
        assert len(begin(world.account(dave)).secret) * 5 == 160


@row("12.6.5.3", "13.mfa.7")
def test_secrets_come_from_the_systems_generator(world):
    assert world.runtime.entropy is secrets
    random.seed(1)
    first = pyotp.random_base32()
    random.seed(1)
    assert pyotp.random_base32() != first


@row("12.6.5.6", "12.v4.2.8.6")
def test_a_factor_that_is_disabled_is_dead_in_every_worker(world, bob, factors, with_settings):
    other = with_settings()
    assert error(other.reset(bob)) == "totp-required"
    factors.disable_totp(world.account(bob))
    for code in (world.code(bob), bob.backup_codes[0]):
        assert error(other.reset(bob, code=code)) == "error-two-factor-not-available"


@row("12.v4.2.5.5")
def test_new_backup_codes_are_told_and_the_old_ones_dead(world, bob, factors):
    factors.renew_backup_codes(world.account(bob))
    assert world.told()[-1] == "New backup codes were made"
    assert error(world.reset(bob, code=bob.backup_codes[0])) == "totp-invalid"


@row("11.N14", "12.v4.2.2.3")
def test_the_notice_of_a_change_says_what_to_do_and_holds_no_secret(world, bob):
    (mail,) = Mailbox(world.app).messages_to("bob@x.org")
    assert "The authenticator app was switched on" in mail.text
    assert "If this was not you" in mail.text
    for secret in (bob.totp.secret, *bob.backup_codes, world.code(bob)):
        assert secret not in mail.text + mail.html
