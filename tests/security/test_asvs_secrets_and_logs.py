"""Section 12 of the security checklist: ASVS 5.0, chapters 11 and 16, and extras of ASVS 4.0."""

import hmac
import json
import logging

import pyotp
import pytest
from sqlalchemy import update

from e2ereset.audit import tail, verify
from e2ereset.audit.models import AuditRow
from e2ereset.errors import SettingsError
from e2ereset.factors.models import BackupCode, EmailChallenge, Totp
from e2ereset.factors.strategies.totp import matching_steps
from e2ereset.server.settings import load_server_settings
from e2ereset.settings import load_settings
from e2ereset.store.tables import table
from e2ereset.testing import Mailbox
from tests.security.attacker import KEY, ME, again, break_table, error, login, other_worker


def log_rows(world, count=100):
    with world.runtime.transactions.read() as session:
        return tail(session, count)


@pytest.mark.parametrize("step", [99, 100, 101, None])
def test_12_11_2_4_every_step_is_compared_and_in_constant_time(monkeypatch, step):
    secret, compared, compare = pyotp.random_base32(), [], hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda *a: compared.append(1) or compare(*a))
    code = "-" * 6 if step is None else pyotp.TOTP(secret).generate_otp(step)
    found = matching_steps(secret, code, now=3000, window=1)
    assert (step is None) or step in found
    assert len(compared) == 3


def test_12_11_5_1_a_token_has_256_unguessable_bits(world):
    world.person("ann", password="pw")
    tokens = {login(world, "ann").json["data"]["authToken"] for _ in range(5)}
    assert len(tokens) == 5
    assert all(len(token) >= 43 for token in tokens)


def test_12_11_2_2_a_new_secret_key_opens_what_the_old_one_encrypted(
    world, bob, make_server, config
):
    keys = ["a newer key for tests", "a key for tests only"]
    newer = other_worker(world, make_server(config | {"E2ERESET_SECRET_KEYS": keys}))
    assert newer.reset(bob, code=world.code(bob)).status_code == 200
    assert newer.reset(again(world, bob), code=bob.backup_codes[0]).status_code == 200


def test_12_16_2_1_a_row_says_who_did_what_to_whom_when_and_from_where(world, bob):
    world.reset(bob, code=world.code(bob), headers={"User-Agent": "Firefox"})
    (row,) = world.rows(AuditRow)
    assert (row.caller, row.target, row.action) == (bob.id, bob.id, "reset-e2e-key")
    assert (row.address, row.agent, row.at) == ("127.0.0.1", "Firefox", world.clock.now)


def test_12_16_2_2_times_are_in_utc(world, bob):
    world.reset(bob)
    assert log_rows(world)[0]["at"] == "2027-01-15T08:00:00.000Z"


def test_12_16_2_5_no_secret_reaches_a_log(world, bob, eve, caplog):
    caplog.set_level(logging.DEBUG)
    world.person("ann", password="a long password")
    login(world, "ann", "a long password")
    world.reset(eve)
    secrets = [world.code(bob), world.mailed_code(), bob.backup_codes[0], "a long password"]
    secrets += [bob.headers["X-Auth-Token"], bob.totp.secret]
    world.reset(bob, code=secrets[0])
    world.reset(again(world, bob), code=secrets[2])
    world.reset(eve, code=secrets[1])
    kept = caplog.text + json.dumps(log_rows(world))
    assert not [secret for secret in secrets if secret in kept]


def test_12_16_3_1_every_try_at_a_second_factor_is_a_row_with_its_method(world):
    both = world.person("both", totp=True, email=True)
    world.reset(both, code="000000")
    world.reset(both, code="000000", method="email")
    world.reset(both, code=world.code(both))
    assert [row[3:] for row in world.outcomes()] == [
        ("totp", "totp-invalid"),
        ("email", "totp-invalid"),
        ("totp", "reset"),
    ]


def test_12_16_3_2_a_refused_permission_is_a_row(world, bob):
    world.reset(bob, {"user": "root"}, code=world.code(bob))
    assert world.outcomes()[-1][-1] == "error-not-allowed"


def test_12_16_3_3_tries_to_get_round_the_check_are_rows(world, bob):
    world.reset(bob, {"cas": True})
    world.reset(bob, code="000000", method="none")
    bob.headers = world.sign_in(bob.id, expires_at=None, name="ci", bypass_two_factor=True)
    world.reset(bob)
    assert [row[-1] for row in world.outcomes()] == ["invalid-params", "totp-invalid", "reset"]
    assert world.outcomes()[-1][3] == "bypass"


def test_12_16_4_1_nothing_sent_can_forge_a_line_of_the_log(world, bob):
    for agent in ("a\tb", "a\x1b[2Jb", "a\x7fb", "a\u202eb", "a" * 9000):
        world.reset(bob, headers={"User-Agent": agent.encode().decode("latin-1")})
    agents = [row["agent"] for row in log_rows(world)]
    assert len(agents) == 5
    assert all(agent.isprintable() and len(agent) <= 255 for agent in agents)


def test_12_16_4_2_a_changed_row_is_found(world, bob):
    world.reset(bob)
    world.runtime.sealer.seal()
    rows = table(AuditRow)
    with world.runtime.transactions.begin() as session:
        assert verify(session, world.runtime.keyring) == []
        session.execute(update(rows).values(caller="somebody else"))
        assert verify(session, world.runtime.keyring) != []


def test_12_16_5_1_a_fault_says_nothing_of_its_inside(world, bob, engine):
    break_table(engine, "e2ereset_audit")
    answer = world.reset(bob)
    assert answer.json == {"success": False, "error": "Service Unavailable"}


@pytest.mark.parametrize("table", ["e2ereset_totp", "e2ereset_budgets"])
def test_12_16_5_2_a_part_that_is_gone_refuses(world, bob, engine, table):
    world.reset(bob, {"username": "seed the roles"})
    break_table(engine, table)
    for code in (None, world.code(bob)):
        assert world.reset(bob, code=code).status_code != 200
    assert world.has_key(bob)


def test_12_16_5_3_a_proof_is_not_taken_where_the_log_is_gone(world, bob, engine):
    break_table(engine, "e2ereset_audit")
    assert world.reset(bob, code=world.code(bob)).status_code == 503
    assert world.has_key(bob)
    assert world.rows(Totp)[0].last_step < world.clock.now // 30


def test_12_v4_2_2_2_the_stronger_method_is_asked_for_first(world):
    both = world.person("both", totp=True, email=True)
    assert world.reset(both).json["details"]["method"] == "totp"
    assert load_settings(KEY).methods.index("totp") < load_settings(KEY).methods.index("email")


def test_12_v4_2_2_3_the_notice_of_a_change_holds_no_secret(world, bob):
    (mail,) = Mailbox(world.app).messages_to("bob@x.org")
    assert "TOTP was enabled" in mail.text
    secrets = [bob.totp.secret, *bob.backup_codes, world.code(bob)]
    assert not [secret for secret in secrets if secret in mail.text + mail.html]


def test_12_v4_2_5_5_new_backup_codes_are_told_to_the_owner(world, bob):
    world.runtime.factors.renew_backup_codes(world.account(bob))
    changes = [facts["change"] for _, facts in world.queued("factor-changed")]
    assert changes[-1] == "New backup codes were made"
    assert error(world.reset(bob, code=bob.backup_codes[0])) == "totp-invalid"


def test_12_v4_2_7_2_a_mailed_code_dies_within_ten_minutes(world, eve):
    world.reset(eve)
    world.clock.now += 599
    assert world.reset(eve, code=world.mailed_code()).status_code == 200
    world.reset(again(world, eve))
    world.clock.now += 600
    assert error(world.reset(eve, code=world.mailed_code())) == "totp-invalid"


def test_12_v4_2_7_3_a_mailed_code_is_good_once_and_for_its_request(world):
    eve = world.person("eve", email=True, password="pw")
    login(world, "eve")
    code = world.mailed_code()
    assert error(world.reset(eve, code=code)) == "totp-invalid"
    assert login(world, "eve", code=code).status_code == 200
    assert login(world, "eve", code=code).status_code == 401


def test_12_v4_2_7_5_only_a_digest_of_a_mailed_code_is_kept(world, eve):
    world.reset(eve)
    code = world.mailed_code().replace("-", "")
    Mailbox(world.app).deliver()
    assert world.queued("code") == []
    (row,) = world.rows(EmailChallenge)
    assert code not in row.digest
    assert world.runtime.keyring.matches(
        row.digest, "email code", eve.id, "reset-e2e-key", eve.id, code
    )


def test_12_v4_2_7_6_a_shorter_code_is_refused_as_a_setting():
    with pytest.raises(SettingsError):
        load_settings(KEY | {"E2ERESET_EMAIL_CODE_DIGITS": 4})


def test_12_v4_2_8_1_a_totp_code_has_a_life(world, bob):
    code = world.code(bob)
    for _ in range(3):
        world.clock.now += 60
        assert error(world.reset(bob, code=code)) == "totp-invalid"


def test_12_v4_2_8_2_a_stolen_seed_opens_for_no_other_account_or_key(world, bob):
    ann = world.person("ann", totp=True)
    encrypted = world.rows(Totp, account_id=bob.id)[0].secret
    columns = table(Totp).c
    with world.runtime.transactions.begin() as session:
        move = update(table(Totp)).where(columns.account_id == ann.id).values(secret=encrypted)
        session.execute(move)
    assert world.reset(ann, code=world.code(bob)).status_code == 503
    assert world.has_key(ann)


def test_12_v4_2_8_4_a_totp_code_is_good_once_while_it_lives(world, bob):
    code = bob.totp.at(world.clock.now + 30)
    assert world.reset(bob, code=code).status_code == 200
    for _ in range(3):
        assert error(world.reset(again(world, bob), code=code)) == "totp-invalid"
        world.clock.now += 20


def test_12_v4_2_8_5_a_reused_code_is_logged_refused_and_told_to_the_holder(world, bob):
    code = world.code(bob)
    world.reset(bob, code=code)
    assert error(world.reset(again(world, bob), code=code)) == "totp-invalid"
    assert world.outcomes()[-1][-1] == "totp-invalid"
    texts = [mail.text for mail in Mailbox(world.app).messages_to("bob@x.org")]
    assert "127.0.0.1" in texts[-1]


def test_12_v4_2_8_6_a_revoked_factor_is_dead_in_every_worker(world, bob, make_server, config):
    other = other_worker(world, make_server(config))
    assert error(other.reset(bob)) == "totp-required"
    world.runtime.factors.disable_totp(world.account(bob))
    assert error(other.reset(bob, code=world.code(bob))) == "error-two-factor-not-available"
    assert world.rows(BackupCode) == []


def test_12_v4_2_4_4_a_cheap_password_hash_is_refused_outside_of_tests():
    with pytest.raises(SettingsError):
        load_server_settings({"E2ERESET_SERVER_BCRYPT_COST": 9})
    assert load_server_settings({}).bcrypt_cost >= 10


def test_12_v4_3_7_1_each_reset_wants_its_own_proof(world, bob):
    world.reset(bob, code=world.code(bob))
    assert error(world.reset(again(world, bob))) == "totp-required"


def test_12_v4_3_3_3_a_reset_ends_all_other_sessions(world, bob):
    others = [world.sign_in(bob.id) for _ in range(3)]
    world.reset(bob, code=world.code(bob))
    for headers in others:
        assert world.client.get(ME, headers=headers).status_code == 401
