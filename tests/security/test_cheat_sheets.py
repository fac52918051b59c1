"""Section 13 of the security checklist: the OWASP cheat sheets, as rules that can be tested."""

import secrets

import pytest

from e2ereset.errors import SettingsError
from e2ereset.factors.models import EmailChallenge
from e2ereset.jobs.models import Job
from e2ereset.settings import load_settings
from e2ereset.testing import Mailbox
from tests.kit.world import sha256
from tests.security.attacker import (
    API,
    KEY,
    ME,
    SEND,
    again,
    error,
    login,
    other_worker,
    resend,
    stored,
    wrong,
)


@pytest.fixture
def root(world):
    return world.person("root", email=True, roles=["admin"])


# Multifactor authentication


def test_13_mfa_01_a_code_lives_ten_minutes_at_most_and_may_live_less():
    settings = load_settings(KEY | {"E2ERESET_EMAIL_CODE_SECONDS": 60})
    assert settings.email_code_seconds == 60
    with pytest.raises(SettingsError):
        load_settings(KEY | {"E2ERESET_EMAIL_CODE_SECONDS": 3600})


def test_13_mfa_02_a_code_is_used_once(world, eve):
    world.reset(eve)
    code = world.mailed_code()
    seen = [world.reset(again(world, eve), code=code).status_code for _ in range(2)]
    assert seen == [200, 400]


def test_13_mfa_03_a_code_is_dead_after_five_tries(world, eve):
    world.reset(eve)
    wrong(world, eve, 5)
    assert world.rows(EmailChallenge)[0].tries == 5
    world.clock.now += 300
    assert error(world.reset(eve, code=world.mailed_code())) == "totp-invalid"


def test_13_mfa_04_a_code_is_gone_once_it_was_right(world, eve):
    world.reset(eve)
    world.reset(eve, code=world.mailed_code())
    assert world.rows(EmailChallenge) == []


def test_13_mfa_05_a_code_is_in_no_log(world, eve, caplog):
    caplog.set_level(0)
    world.reset(eve)
    code = world.mailed_code()
    Mailbox(world.app).deliver()
    world.reset(eve, code=code)
    assert code not in caplog.text
    assert code.replace("-", "") not in caplog.text


def test_13_mfa_06_a_code_is_not_kept_in_clear(world, eve):
    world.reset(eve)
    code = world.mailed_code()
    assert code not in stored(world)
    assert code.replace("-", "") not in stored(world)


def test_13_mfa_07_codes_come_from_a_secure_generator(world):
    assert world.runtime.entropy is secrets


@pytest.mark.parametrize("digits", [6, 8, 10])
def test_13_mfa_08_a_code_may_have_eight_digits_and_more(world, make_server, config, digits, eve):
    mine = other_worker(world, make_server(config | {"E2ERESET_EMAIL_CODE_DIGITS": digits}))
    mine.reset(eve)
    assert len(world.mailed_code()) == digits + 1


def test_13_mfa_09_asking_again_makes_a_new_code_over_the_old_one(world, eve):
    world.reset(eve)
    before = world.rows(EmailChallenge)[0].digest
    world.clock.now += 31
    resend(world, "eve", eve.headers)
    (after,) = world.rows(EmailChallenge)
    assert after.digest != before


def test_13_mfa_10_a_digest_is_worth_nothing_without_the_secret_key(world, eve):
    world.reset(eve)
    code, stands = world.mailed_code().replace("-", ""), world.rows(EmailChallenge)[0].digest
    assert sha256(code) not in stands
    other = type(world.runtime.keyring)(["another key, of somebody else"])
    assert not other.matches(stands, "email code", eve.id, "reset-e2e-key", eve.id, code)


def test_13_mfa_11_a_refusal_lists_the_other_methods(world):
    both = world.person("both", totp=True, email=True)
    answer = world.reset(both, code="000000")
    assert answer.json["details"]["availableMethods"] == ["totp", "email"]


def test_13_mfa_13_the_owner_is_told_when_from_where_and_by_what(world, bob):
    wrong(world, bob, 5, headers={"User-Agent": "Lynx"})
    text = Mailbox(world.app).messages_to("bob@x.org")[-1].text
    assert all(fact in text for fact in ("2027-01-15 08:00:00 UTC", "127.0.0.1", "Lynx"))


def test_13_mfa_17_a_changed_factor_is_told_by_mail(world, bob):
    world.runtime.factors.disable_totp(world.account(bob))
    assert world.queued("factor-changed")[-1][1]["change"] == "TOTP was disabled"


# Forgot password


def test_13_forgot_01_known_and_unknown_names_get_one_answer(world, eve):
    world.reset(eve)
    answers = [world.client.post(SEND, json={"emailOrUsername": n}) for n in ("eve", "nix")]
    assert answers[0].data == answers[1].data
    for answer in answers:
        answer.headers.pop("X-Request-Id", None)
    assert answers[0].headers == answers[1].headers


def test_13_forgot_02_an_account_is_sent_fifteen_codes_a_day_at_most(world, eve):
    for _ in range(17):
        world.clock.now += 1861
        world.reset(eve)
    resend(world, "eve")
    assert len(world.rows(Job, kind="code")) == 15


def test_13_forgot_03_no_mail_holds_a_link_or_the_host_header(world, eve):
    world.reset(eve, headers={"Host": "evil.example", "User-Agent": "https://evil.example/x"})
    (mail,) = Mailbox(world.app).messages_to("eve@x.org")[-1:]
    assert "evil.example" not in mail.text + mail.html
    assert "http" not in mail.text


def test_13_forgot_06_a_code_is_random_for_one_user_encrypted_once_and_for_a_while(
    world, eve, root
):
    world.reset(eve)
    world.reset(root)
    mine, other = (facts["code"] for _, facts in world.queued("code"))
    assert mine != other
    assert error(world.reset(eve, code=other)) == "totp-invalid"
    assert world.reset(eve, code=mine).status_code == 200


def test_13_forgot_07_nothing_changes_before_a_right_code(world, eve, root):
    world.reset(eve)
    resend(world, "eve")
    wrong(world, eve, 8)
    assert (world.has_key(eve), world.tokens(eve)) == (True, 1)
    assert world.client.get(ME, headers=eve.headers).status_code == 200


def test_13_forgot_08_the_owner_is_mailed_after_it(world, bob):
    world.reset(bob, code=world.code(bob))
    text = Mailbox(world.app).messages_to("bob@x.org")[-1].text
    assert "was reset by you" in text


def test_13_forgot_09_a_reset_signs_nobody_in(world, bob):
    answer = world.reset(bob, code=world.code(bob))
    assert answer.json == {"success": True}
    assert "Set-Cookie" not in answer.headers
    assert world.tokens(bob) == 0


def test_13_forgot_10_a_reset_ends_every_session(world, bob):
    world.sign_in(bob.id)
    world.reset(bob, code=world.code(bob))
    assert world.tokens(bob) == 0


def test_13_forgot_11_a_code_has_six_digits_or_more_in_two_groups(world, eve):
    world.reset(eve)
    (text,) = (m.text for m in Mailbox(world.app).messages_to("eve@x.org") if "code" in m.subject)
    code = Mailbox(world.app).code_for("eve@x.org")
    assert len(code) == 6
    assert f"{code[:3]}-{code[3:]}" in text


def test_13_forgot_12_a_code_opens_nothing_but_its_own_act(world, eve):
    world.reset(eve)
    proof = {"x-2fa-code": world.mailed_code(), "x-2fa-method": "email"}
    signed_out = {"X-User-Id": eve.id} | proof
    for path in (ME, API + "e2e.fetchMyKeys"):
        assert world.client.get(path, headers=signed_out).status_code == 401


# Transaction authorization


def test_13_1_1_the_mail_names_the_act_and_whose_key_it_is(world, root):
    world.person("ann")
    world.reset(root, {"user": "ann"})
    subjects = [mail.subject for mail in Mailbox(world.app).messages_to("root@x.org")]
    assert "Your code to reset the E2E key of ann" in subjects


def test_13_1_4_a_code_to_sign_in_looks_unlike_one_to_reset(world):
    eve = world.person("eve", email=True, password="pw")
    login(world, "eve")
    world.clock.now += 31
    world.reset(eve)
    subjects = {mail.subject for mail in Mailbox(world.app).messages_to("eve@x.org")}
    assert subjects >= {"Your code to sign in as eve", "Your code to reset the E2E key of eve"}


def test_13_1_5_each_act_has_a_proof_of_its_own(world, root):
    for name in ("ann", "ben"):
        world.person(name)
    world.reset(root, {"user": "ann"})
    code = world.mailed_code()
    assert world.reset(root, {"user": "ann"}, code=code).status_code == 200
    assert error(world.reset(root, {"user": "ben"}, code=code)) == "totp-invalid"


def test_13_2_1_the_server_enforces_and_refuses_by_default(world, bob):
    for headers in ({}, {"x-2fa-code": ""}, {"x-2fa-method": "off"}, {"X-Debug": "1"}):
        assert error(world.reset(bob, headers=headers)) == "totp-required"


def test_13_2_2_the_client_cannot_choose_a_weaker_method(world):
    both = world.person("both", totp=True, password="pw")
    answer = world.reset(both, code=sha256("pw"), method="password")
    assert (error(answer), answer.json["details"]["method"]) == ("totp-invalid", "totp")


def test_13_2_3_what_a_code_is_for_is_kept_by_the_server(world, root):
    ann = world.person("ann")
    world.reset(root, {"user": "ann"})
    (row,) = world.rows(EmailChallenge)
    assert (row.action, row.target) == ("reset-e2e-key", ann.id)


def test_13_2_4_after_five_failures_one_has_to_start_anew(world, eve):
    world.reset(eve)
    old = world.mailed_code()
    wrong(world, eve, 5)
    world.clock.now += 300
    assert error(world.reset(eve, code=old)) == "totp-invalid"
    assert world.reset(eve).json["details"]["codeGenerated"] is True


def test_13_2_5_a_code_before_its_challenge_is_worth_nothing(world, eve):
    assert error(world.reset(eve, code="000000")) == "totp-invalid"
    world.reset(eve)
    assert world.reset(eve, code=world.mailed_code()).status_code == 200


def test_13_2_6_changed_data_voids_the_proof_and_is_logged(world, root):
    ann = world.person("ann")
    world.reset(root)
    answer = world.reset(root, {"user": "ann"}, code=world.mailed_code())
    assert error(answer) == "totp-invalid"
    assert world.outcomes()[-1][2:] == (ann.id, "email", "totp-invalid")


def test_13_2_8_the_last_check_is_in_the_act_itself(world, root, engine):
    world.person("ann")
    world.reset(root, {"userId": "id-of-ann"})
    code = world.mailed_code()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE users SET kind = 'federated' WHERE id = 'id-of-ann'")
    answer = world.reset(root, {"userId": "id-of-ann"}, code=code)
    assert error(answer) == "error-not-allowed"


def test_13_2_9_a_proof_is_good_for_minutes(world, bob, eve):
    world.reset(eve)
    mailed, totp = world.mailed_code(), world.code(bob)
    world.clock.now += 601
    assert error(world.reset(bob, code=totp)) == "totp-invalid"
    assert error(world.reset(eve, code=mailed)) == "totp-invalid"


def test_13_2_10_no_two_challenges_share_a_code(world, eve):
    seen = set()
    for _ in range(8):
        world.clock.now += 6001
        world.reset(eve)
        seen.add((world.mailed_code(), world.rows(EmailChallenge)[0].digest))
    assert len(seen) == 8


# Authentication


def test_13_auth_01_tries_count_on_the_account_whatever_the_address(
    world, bob, make_server, config
):
    app = make_server(config | {"E2ERESET_SERVER_PROXY_HOPS": 1})
    mine = other_worker(world, app)
    seen = [
        error(mine.reset(bob, code="000000", headers={"X-Forwarded-For": f"192.0.2.{n}"}))
        for n in range(6)
    ]
    assert seen == ["totp-invalid"] * 5 + ["totp-max-attempts"]


def test_13_auth_02_threshold_window_and_length_of_a_lock_are_settings():
    settings = load_settings(KEY | {"E2ERESET_TRIES_PER_HOUR": 7})
    assert settings.verify_windows == ((300, 5), (3600, 7), (86400, 50))


def test_13_auth_03_locks_grow(world, bob):
    waits = []
    for _ in range(4):
        wrong(world, bob, 5)
        waits.append(world.reset(bob).json["details"]["retryAfter"])
        world.clock.now += 300
    assert waits[:3] == [300] * 3
    assert waits[3] > 2000


def test_13_auth_04_a_stranger_cannot_lock_the_owner_out(world):
    ann = world.person("ann", totp=True, password="pw")
    for _ in range(10):
        login(world, "ann", "no")
    assert world.reset(ann, code=world.code(ann)).status_code == 200


def test_13_auth_06_a_sign_in_is_a_new_session(world):
    ann = world.person("ann", password="pw")
    token = login(world, "ann").json["data"]["authToken"]
    assert token != ann.headers["X-Auth-Token"]


def test_13_auth_07_a_failed_sign_in_says_nothing_but_that(world):
    world.person("ann", password="pw")
    answer = login(world, "ann", "no")
    assert answer.json["error"] == "Unauthorized"
    assert set(answer.json) == {"success", "error", "status", "message"}
