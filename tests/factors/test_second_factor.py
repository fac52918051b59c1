"""The second factor of a reset, over HTTP: SPEC 2."""

import hmac

import pyotp
import pytest
from sqlalchemy import event, update

from e2ereset.crypto import KeyRing
from e2ereset.factors.models import BackupCode, EmailChallenge, Totp
from e2ereset.factors.strategies.totp import backup_digest, matching_steps
from e2ereset.jobs.models import Job
from e2ereset.server.people.models import Email
from e2ereset.testing import Mailbox
from tests.kit.client import SEND_CODE
from tests.kit.rows import row
from tests.kit.world import break_table, error, sha256


@pytest.fixture
def admin(world):
    """An administrator with mailed codes, and two people whom they may reset."""
    for name in ("bob", "carl"):
        world.person(name)
    return world.person("root", email=True, roles=["admin"])


# Which method


@row("12.v4.2.2.2", "13.mfa.11")
def test_the_first_enabled_method_is_asked_for(world):
    both = world.person("both", totp=True, email=True, password="pw")
    details = world.reset(both).json["details"]
    assert details == {
        "method": "totp",
        "codeGenerated": False,
        "availableMethods": ["totp", "email"],
    }


@row("10.1")
@pytest.mark.parametrize("name", ["email", "password", "sms", "TOTP", "x" * 300])
def test_a_method_that_is_not_enabled_gets_the_default_ones_challenge(world, bob, name):
    code = world.code(bob)
    for given, refusal in ((None, "totp-required"), (code, "totp-invalid")):
        response = world.reset(bob, code=given, method=name)
        assert (error(response), response.json["details"]["method"]) == (refusal, "totp")
    assert world.queued("code") == []
    assert world.reset(bob, code=code).status_code == 200


def test_the_clear_password_never_passes(world):
    carol = world.person("carol", password="pw")
    assert error(world.reset(carol, code="pw")) == "totp-invalid"
    assert error(world.reset(carol, code=sha256(sha256("pw")))) == "totp-invalid"


@row("11.N7", "12.6.3.6")
def test_mailed_codes_can_be_switched_off(with_settings, world, eve):
    world.reset(eve)
    world.clock.now += 31
    strict = with_settings(E2ERESET_METHODS=["totp"])
    assert strict.ask_again("eve").status_code == 200
    assert world.count_codes() == 1
    assert error(strict.reset(eve)) == "error-two-factor-not-available"


@row("10.8")
def test_without_any_method_one_passes_only_where_the_setting_says_so(world, with_settings):
    dave = world.person("dave")
    assert error(world.reset(dave)) == "error-two-factor-not-available"
    assert world.has_key(dave)
    assert with_settings(E2ERESET_WITHOUT_METHOD="allow").reset(dave).status_code == 200


def test_the_check_can_be_off_for_a_workspace(world, with_settings, bob, caplog):
    assert with_settings(E2ERESET_TWO_FACTOR=False).reset(bob).status_code == 200
    assert "E2ERESET_TWO_FACTOR is off" in caplog.text
    assert world.outcomes()[-1][3:] == ("off", "reset")


@row("10.9", "12.16.3.3")
@pytest.mark.parametrize(
    ("bypass", "setting", "outcome"),
    [
        (True, True, ("bypass", "reset")),
        (False, True, ("totp", "totp-required")),
        (True, False, ("totp", "totp-required")),
    ],
)
def test_a_personal_token_passes_with_bypass_where_the_setting_says_so(
    world, with_settings, bob, bypass, setting, outcome
):
    bob.headers = world.sign_in(bob.id, expires_at=None, name="ci", bypass_two_factor=bypass)
    with_settings(E2ERESET_BYPASS_TOKENS=setting).reset(bob)
    assert world.outcomes()[-1][3:] == outcome


@row("13.2.1")
def test_empty_headers_count_as_absent(world, bob):
    assert error(world.reset(bob, code="", method="")) == "totp-required"


# TOTP


@row("11.N10", "12.6.5.8", "12.v4.2.8.1", "13.2.9")
@pytest.mark.parametrize("drift", [-60, 60])
def test_a_code_further_off_does_not(world, bob, drift):
    assert error(world.reset(bob, code=bob.totp.at(world.clock.now + drift))) == "totp-invalid"


@row("9.6", "9.7", "10.6", "12.6.5.1", "12.v4.2.8.4")
@pytest.mark.parametrize("drift", [-30, 0, 30])
def test_a_code_passes_once_at_each_offset(world, bob, drift):
    code = bob.totp.at(world.clock.now + drift)
    assert world.reset(bob, code=code).status_code == 200
    world.clock.now += 30
    assert error(world.reset(world.again(bob), code=code)) == "totp-invalid"


@row("9.44")
def test_an_earlier_step_never_passes_after_a_later_one(world, bob):
    old, new = bob.totp.at(world.clock.now - 30), bob.totp.at(world.clock.now)
    assert world.reset(bob, code=new).status_code == 200
    assert error(world.reset(world.again(bob), code=old)) == "totp-invalid"


@row("9.43", "11.N9", "12.v4.2.8.5")
def test_a_spent_code_that_comes_again_is_told_to_caller_and_owner(world, bob):
    code = world.code(bob)
    world.reset(bob, code=code)
    world.clock.now += 11
    response = world.reset(world.again(bob), code=code)
    assert response.json["details"]["codeReused"] is True
    assert response.json["details"]["retryAfter"] == 19  # the next step
    assert response.headers["Retry-After"] == "19"
    assert [to for to, _ in world.queued("totp-replayed")] == ["bob@x.org"]
    assert world.outcomes()[-1][3:] == ("totp", "totp-invalid")


@row("9.50")
def test_nothing_but_a_spent_code_is_told_of(world, bob):
    world.reset(bob, code=world.code(bob))
    world.again(bob)
    for code in ("000000", bob.totp.at(world.clock.now + 60), bob.totp.at(world.clock.now - 60)):
        response = world.reset(bob, code=code)
        assert "codeReused" not in response.json["details"]
        assert "Retry-After" not in response.headers


@row("9.25")
@pytest.mark.parametrize(("address", "told"), [("127.0.0.1", 0), ("203.0.113.9", 1)])
def test_a_code_of_a_sign_in_that_comes_again_alarms_its_owner_from_elsewhere_only(
    world, address, told
):
    carol = world.person("carol", totp=True, password="pw")
    data = world.login("carol", code=world.code(carol)).json["data"]
    carol.headers = {"X-User-Id": carol.id, "X-Auth-Token": data["authToken"]}
    response = world.reset(carol, code=world.code(carol), environ_base={"REMOTE_ADDR": address})
    assert response.json["details"]["codeReused"] is True
    assert [to for to, _ in world.queued("totp-replayed")] == ["carol@x.org"] * told


@row("9.25")
def test_a_code_that_comes_again_at_another_sign_in_alarms_the_owner(world):
    carol = world.person("carol", totp=True, password="pw")
    answers = [world.login("carol", code=world.code(carol)) for _ in range(2)]
    assert answers[1].json["details"]["codeReused"] is True
    assert len(world.queued("totp-replayed")) == 1


def test_no_handle_of_a_sign_in_is_stored_with_its_code(world, bob):
    world.reset(bob, code=world.code(bob))
    (row,) = world.rows(Totp)
    assert row.last_address == "127.0.0.1"
    assert bob.id not in row.last_sign_in


@row("12.11.2.4")
@pytest.mark.parametrize("step", [99, 100, 101, None])
def test_every_step_is_compared_and_in_constant_time(monkeypatch, step):
    secret, compared, compare = pyotp.random_base32(), [], hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda *a: compared.append(1) or compare(*a))
    code = "-" * 6 if step is None else pyotp.TOTP(secret).generate_otp(step)
    found = matching_steps(secret, code, now=3000, window=1)
    assert (step is None) or step in found
    assert len(compared) == 3


# Backup codes


@row("11.N12")
def test_there_are_twelve_backup_codes_of_eight_characters(bob):
    assert [len(code) for code in bob.backup_codes] == [8] * 12
    assert not set("".join(bob.backup_codes)) & set("01ILOilo")


@row("10.7", "11.N12", "12.6.5.1")
def test_a_backup_code_passes_once_in_any_case_and_is_mailed(world, bob):
    code = bob.backup_codes[0]
    assert world.reset(bob, code=code.lower()).status_code == 200
    assert world.queued("backup-code-used")[0][1]["left"] == 11
    assert len(world.rows(BackupCode)) == 11
    assert error(world.reset(world.again(bob), code=code)) == "totp-invalid"


@row("9.20")
def test_a_backup_code_of_somebody_else_is_worth_nothing(world, bob):
    dave = world.person("dave", totp=True)
    assert error(world.reset(dave, code=bob.backup_codes[0])) == "totp-invalid"
    assert len(world.rows(BackupCode, account_id=bob.id)) == 12


@row("10.7", "11.N12", "12.6.5.2")
def test_backup_codes_are_stored_as_digests(world, bob):
    code, kept = bob.backup_codes[0], {found.digest for found in world.rows(BackupCode)}
    assert len(kept) == 12
    assert not any(code in digest for digest in kept for code in bob.backup_codes)
    for key, account, found in (
        (bob.totp.secret, bob.id, True),
        (bob.totp.secret, "another", False),
        (world.rows(Totp)[0].secret, bob.id, False),
        ("", bob.id, False),
    ):
        assert (backup_digest(key, account, code) in kept) is found


# Mailed codes


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
    for keyring, found in (
        (world.runtime.keyring, True),
        (KeyRing(["somebody else's key"]), False),
    ):
        assert keyring.matches(stands, *bound) is found


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


# Mailing again


@pytest.mark.parametrize("name", ["eve", "EVE", "eve@x.org", "EVE@X.ORG"])
def test_a_pending_code_is_mailed_afresh(world, eve, name):
    world.reset(eve)
    world.clock.now += 31
    response = world.ask_again(name)
    assert (response.status_code, response.data) == (200, b'{"success":true}')
    assert world.count_codes() == 2
    code = Mailbox(world.app).code_for("eve@x.org")
    assert world.reset(eve, code=code).status_code == 200


@row("9.4")
@pytest.mark.parametrize("name", ["nobody", "nobody@x.org", "", "eve"])
def test_without_a_pending_action_nothing_is_mailed_and_the_answer_is_the_same(world, eve, name):
    response = world.ask_again(name)
    assert (response.status_code, response.data) == (200, b'{"success":true}')
    assert world.count_codes() == 0


@row("12.6.3.8", "13.forgot.1")
def test_known_and_unknown_names_get_one_answer(world, eve):
    world.reset(eve)
    answers = [world.client.post(SEND_CODE, json={"emailOrUsername": n}) for n in ("eve", "nix")]
    assert answers[0].data == answers[1].data
    assert {"X-Request-Id"} >= {
        name for name, value in answers[0].headers if answers[1].headers[name] != value
    }


@pytest.mark.parametrize("name", ["nobody", "eve", "x" * 10_000])
def test_the_answer_comes_before_any_look_at_who_it_is(world, eve, name):
    world.reset(eve)
    before = world.rows(EmailChallenge)[0].sent_at
    world.clock.now += 31
    world.client.post(SEND_CODE, json={"emailOrUsername": name})
    assert world.rows(EmailChallenge)[0].sent_at == before
    assert len(world.rows(Job, kind="code-asked")) == 1


def test_one_who_asks_again_and_again_waits_once(world, eve):
    for name in ("eve", "EVE", "nobody", "eve", "Nobody"):
        answer = world.client.post(SEND_CODE, json={"emailOrUsername": name})
        assert answer.data == b'{"success":true}'
    assert len(world.rows(Job, kind="code-asked")) == 2


def test_a_code_asked_for_long_ago_is_not_mailed(world, eve):
    world.reset(eve)
    world.clock.now += 31
    world.client.post(SEND_CODE, json={"emailOrUsername": "eve"})
    world.clock.now += 600
    world.runtime.worker.run_due()
    assert world.count_codes() == 1


@pytest.mark.parametrize("body", [{}, {"emailOrUsername": 1}, {"emailOrUsername": "a", "x": 1}])
def test_a_bad_body_is_400(world, body):
    assert world.client.post(SEND_CODE, json=body).json["errorType"] == "invalid-params"


@row("9.34", "10.3")
def test_nothing_is_mailed_while_the_tries_are_spent(world, eve):
    world.reset(eve)
    world.wrong(eve, 5)
    world.clock.now += 31
    world.ask_again("eve")
    assert error(world.reset(eve)) == "totp-max-attempts"
    assert world.count_codes() == 1


# Budgets


@row("9.16", "11.N16", "13.forgot.7")
def test_after_five_wrong_tries_no_right_one_is_looked_at_until_the_window_is_over(world, bob):
    world.wrong(bob, 5)
    response = world.reset(bob, code=world.code(bob))
    assert error(response) == "totp-max-attempts"
    assert response.json["error"].endswith("[totp-max-attempts]")
    assert response.json["details"]["retryAfter"] == 300
    assert response.headers["Retry-After"] == "300"
    assert world.has_key(bob)
    world.clock.now += 300
    assert world.reset(bob, code=world.code(bob)).status_code == 200


@row("9.15", "10.6", "11.N13", "12.6.3.1", "12.6.6.3")
@pytest.mark.parametrize("method", ["totp", "email", "password"])
def test_every_method_is_under_the_same_limits(world, method):
    ann = world.person("ann", **{method: "pw" if method == "password" else True})
    assert world.wrong(ann, 6) == ["totp-invalid"] * 5 + ["totp-max-attempts"]


@row("9.10", "13.auth.1")
def test_tries_count_on_the_account_whatever_the_sign_in_and_the_address(world, bob):
    seen = [
        error(world.reset(world.again(bob), code="000000", environ_base={"REMOTE_ADDR": address}))
        for address in (f"192.0.2.{number}" for number in range(6))
    ]
    assert seen == ["totp-invalid"] * 5 + ["totp-max-attempts"]


@row("10.10", "11.N15", "12.7.5.3", "12.v4.3.7.1")
def test_each_reset_wants_its_own_proof(world, bob):
    assert world.reset(bob, code=world.code(bob)).status_code == 200
    assert error(world.reset(world.again(bob))) == "totp-required"


@row("9.38", "11.N1", "13.auth.3")
def test_there_are_twenty_tries_an_hour_and_fifty_a_day(world, bob):
    start, passed = world.clock.now, {}
    for at in (0, 300, 600, 900, 1200, 3600, 3900, 4200, 4500, 4800, 7200, 7500, 7800, 10800):
        world.clock.now = start + at
        passed[at] = world.wrong(bob, 5).count("totp-invalid")
    assert [at for at, count in passed.items() if count == 5] == [
        *(0, 300, 600, 900),
        *(3600, 3900, 4200, 4500),
        *(7200, 7500),
    ]
    assert sum(passed.values()) == 50


@row("9.27")
def test_a_success_takes_back_only_its_own_charge(world, bob):
    world.wrong(bob, 4)
    assert world.reset(bob, code=world.code(bob)).status_code == 200
    world.again(bob)
    assert world.wrong(bob, 2) == ["totp-invalid", "totp-max-attempts"]


@row("9.3")
def test_a_charge_survives_the_rollback_of_what_follows(world, bob, engine):
    break_table(engine, "e2ereset_key_pairs")
    for _ in range(5):
        assert world.reset(bob, code=world.code(bob)).status_code == 503
    assert error(world.reset(bob, code=world.code(bob))) == "totp-max-attempts"


def test_the_try_is_counted_before_the_code_is_read(world, bob, app):
    seen = []
    with app.app_context():
        engine = world.runtime.transactions.engine
    event.listen(engine, "commit", lambda _: seen.append("COMMIT"))
    event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    world.reset(bob, code="000000")
    charge = next(i for i, text in enumerate(seen) if "INTO e2ereset_budgets" in text)
    assert seen[charge + 1] == "COMMIT"
    assert not any("UPDATE e2ereset_totp" in text for text in seen[:charge])


@row("9.10", "12.6.3.5")
def test_the_owner_is_told_once_an_hour_that_a_budget_ran_out(world, bob):
    world.wrong(bob, 8)
    assert [f["method"] for _, f in world.queued("budget-exhausted")] == ["totp"]
    world.clock.now += 3600
    world.wrong(bob, 5)
    assert len(world.queued("budget-exhausted")) == 2


def test_methods_have_budgets_of_their_own(world):
    both = world.person("both", totp=True, email=True)
    world.wrong(both, 6)
    assert error(world.reset(both, method="email")) == "totp-required"
    assert world.reset(both, code=world.mailed_code(), method="email").status_code == 200


@row("13.forgot.2")
def test_sends_are_fifteen_a_day(world, eve):
    for _ in range(30):
        world.clock.now += 1860
        world.reset(eve)
    assert len(world.queued("code")) == 15


def test_one_user_can_not_spend_the_budget_of_another(world, bob):
    dave = world.person("dave", totp=True)
    world.wrong(bob, 6)
    assert world.reset(dave, code=world.code(dave)).status_code == 200


@row("12.6.3.5")
def test_the_owner_is_told_when_the_tries_at_the_password_run_out(world):
    world.person("carol", password="pw")
    for _ in range(7):
        assert world.login("carol", "no").status_code == 401
    assert [f["method"] for _, f in world.queued("budget-exhausted")] == ["password"]
    assert error(world.login("carol")) == "error-login-blocked-for-user"
