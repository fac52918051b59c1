"""Section 11 of the security checklist: NIST SP 800-63B, by the numbers given there."""

import math

import pyotp
import pytest

from e2ereset.errors import SettingsError
from e2ereset.factors.enrolment import BACKUP_CODES, UNAMBIGUOUS
from e2ereset.factors.models import BackupCode, Totp
from e2ereset.factors.strategies.totp import BACKUP_LENGTH, DIGITS, backup_digest
from e2ereset.server.people.models import User
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.settings import load_settings
from e2ereset.testing import Mailbox
from tests.kit.world import sha256
from tests.security.attacker import KEY, again, error, wrong


def refused(**settings):
    with pytest.raises(SettingsError):
        load_settings(KEY | {f"E2ERESET_{key}": value for key, value in settings.items()})


def test_11_n01_a_day_takes_no_more_than_a_hundred_failures(world, bob):
    refused(TRIES_PER_DAY=101)
    seen = []
    for _ in range(12):
        seen += wrong(world, bob, 5)
        world.clock.now += 3600
    assert seen.count("totp-invalid") == 50


def test_11_n02_the_wait_grows_from_minutes_to_a_day(world, bob):
    waits = []
    for hour in range(3):
        for _ in range(4):
            wrong(world, bob, 5)
            waits.append(world.reset(bob).json["details"]["retryAfter"])
            world.clock.now += 300
        world.clock.now += 3600 * (hour + 1)
    assert waits[0] == 300
    assert 300 < waits[3] <= 3600
    assert 3600 < waits[-1] <= 86400


def test_11_n04_a_mailed_secret_lives_ten_minutes_at_most(world, eve):
    refused(EMAIL_CODE_SECONDS=601)
    world.reset(eve)
    world.clock.now += 600
    assert error(world.reset(eve, code=world.mailed_code())) == "totp-invalid"


def test_11_n05_a_mailed_secret_is_accepted_once(world, eve):
    world.reset(eve)
    code = world.mailed_code()
    assert world.reset(eve, code=code).status_code == 200
    assert error(world.reset(again(world, eve), code=code)) == "totp-invalid"


def test_11_n06_a_mailed_secret_has_six_random_digits_or_more_and_a_limit(world, eve):
    refused(EMAIL_CODE_DIGITS=5)
    codes = set()
    for _ in range(10):
        world.clock.now += 6000
        world.reset(eve)
        codes.add(world.mailed_code())
    assert len(codes) == 10
    assert all(len(code.replace("-", "")) == 6 for code in codes)


def test_11_n07_mail_can_be_left_out_as_a_factor(world, eve, make_server, config):
    app = make_server(config | {"E2ERESET_METHODS": ["totp"]})
    answer = app.test_client().post("/api/v1/users.resetE2EKey", headers=eve.headers)
    assert error(answer) == "error-two-factor-not-available"


def test_11_n08_a_seed_is_encrypted_for_its_account(world, bob):
    stored = world.rows(Totp)[0].secret
    keyring = world.runtime.keyring
    assert bob.totp.secret not in stored
    assert keyring.decrypt("totp", bob.id, stored) == bob.totp.secret


def test_11_n09_a_code_that_comes_again_is_refused_recorded_and_mailed(world, bob):
    code = world.code(bob)
    world.reset(bob, code=code)
    assert error(world.reset(again(world, bob), code=code)) == "totp-invalid"
    assert world.outcomes()[-1][3:] == ("totp", "totp-invalid")
    assert len(world.queued("totp-replayed")) == 1


@pytest.mark.parametrize(("drift", "status"), [(-60, 400), (-30, 200), (30, 200), (60, 400)])
def test_11_n10_a_step_of_drift_is_taken_and_no_more(world, bob, drift, status):
    refused(TOTP_WINDOW=2)
    code = bob.totp.at(world.clock.now + drift)
    assert world.reset(bob, code=code).status_code == status


def test_11_n11_a_totp_key_has_112_bits_and_its_output_six_digits(world):
    secret = world.runtime.factors.begin_totp(world.account(world.person("ann"))).secret
    assert len(secret) * 5 >= 112
    assert len(pyotp.TOTP(secret).now()) == DIGITS == 6


def test_11_n12_a_look_up_secret_has_twenty_bits_a_keyed_digest_and_one_use(world, bob):
    assert math.log2(len(UNAMBIGUOUS)) * BACKUP_LENGTH > 39
    code, stored = bob.backup_codes[0], {row.digest for row in world.rows(BackupCode)}
    assert len(stored) == BACKUP_CODES
    for account, is_there in ((bob.id, True), ("another", False)):
        assert (backup_digest(bob.totp.secret, account, code) in stored) is is_there
    world.reset(bob, code=code)
    assert error(world.reset(again(world, bob), code=code)) == "totp-invalid"
    assert wrong(world, bob, 5)[-1] == "totp-max-attempts"


def test_11_n13_a_password_is_throttled_and_stored_as_a_salted_slow_hash(world):
    assert PasswordHasher(4).hash("pw") != PasswordHasher(4).hash("pw")
    ann = world.person("ann", password="pw")
    assert world.rows(User)[0].password_hash.startswith("$2b$")
    assert wrong(world, ann, 6)[-1] == "totp-max-attempts"


def test_11_n14_a_changed_factor_is_mailed_with_what_to_do(world):
    ann = world.account(world.person("ann"))
    world.runtime.factors.enrol_totp(ann)
    world.runtime.factors.disable_totp(ann)
    mails = Mailbox(world.app).messages_to("ann@x.org")
    assert ["If this was not you" in mail.text for mail in mails] == [True, True]


def test_11_n15_a_session_however_fresh_needs_the_factor_for_each_reset(world, bob):
    assert error(world.reset(bob)) == "totp-required"
    assert world.reset(bob, code=world.code(bob)).status_code == 200
    assert error(world.reset(again(world, bob))) == "totp-required"


def test_11_n16_a_refusal_says_in_words_and_seconds_how_long_to_wait(world, bob):
    wrong(world, bob, 5)
    world.clock.now += 100
    answer = world.reset(bob)
    assert answer.json["error"].startswith("TOTP Maximum Failed Attempts Reached")
    assert answer.json["details"]["retryAfter"] == int(answer.headers["Retry-After"]) == 200


def test_11_n20_every_reset_is_notified_own_and_administrators(world):
    root = world.person("root", password="pw", roles=["admin"])
    world.person("ann")
    world.reset(root, {"user": "ann"}, code=sha256("pw"))
    world.reset(root, code=sha256("pw"))
    assert [to for to, _ in world.queued("key-reset")] == ["ann@x.org", "root@x.org"]
