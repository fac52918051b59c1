"""The second factor of a reset, over HTTP: SPEC 2."""

import pyotp
import pytest
from sqlalchemy import event, update

from e2ereset.factors.models import BackupCode, EmailChallenge, Totp
from e2ereset.jobs.models import Job
from e2ereset.server.people.models import Email
from e2ereset.testing import Mailbox
from tests.kit.world import sha256

CODE_URL = "/api/v1/users.2fa.sendEmailCode"


@pytest.fixture
def admin(world):
    return world.person("root", email=True, roles=["admin"])


def again(world, person):
    """A reset kills the caller's token: sign in anew."""
    person.headers = world.sign_in(person.id)
    return person


def error(response):
    assert response.status_code == 400
    return response.json["errorType"]


def wrong(world, person, times, **options):
    return [error(world.reset(person, code="000000", **options)) for _ in range(times)]


def resend(world, name):
    """Ask for a fresh code, and have the worker come by."""
    response = world.client.post(CODE_URL, json={"emailOrUsername": name})
    world.runtime.worker.run_due()
    return response


def mails_with_codes(world):
    """How many there were, delivered or not; what only asks for one is gone."""
    assert not world.rows(Job, kind="code-asked")
    return len(world.rows(Job, kind="code"))


# Which method


def test_the_first_enabled_method_is_asked_for(world):
    both = world.person("both", totp=True, email=True, password="pw")
    details = world.reset(both).json["details"]
    assert details == {
        "method": "totp",
        "codeGenerated": False,
        "availableMethods": ["totp", "email"],
    }


def test_the_caller_may_choose_among_the_enabled(world):
    both = world.person("both", totp=True, email=True)
    assert world.reset(both, method="email").json["details"]["method"] == "email"
    assert world.reset(both, code=world.mailed_code(), method="email").status_code == 200


@pytest.mark.parametrize("name", ["email", "password", "sms", "TOTP", "x" * 300])
def test_a_method_that_is_not_enabled_gets_the_default_ones_challenge(world, bob, name):
    response = world.reset(bob, method=name)
    assert (error(response), response.json["details"]["method"]) == ("totp-required", "totp")
    assert world.queued("code") == []


def test_a_right_code_under_another_methods_name_is_not_looked_at(world, bob):
    response = world.reset(bob, code=world.code(bob), method="email")
    assert (error(response), response.json["details"]["method"]) == ("totp-invalid", "totp")
    assert world.reset(bob, code=world.code(bob)).status_code == 200


def test_the_password_does_not_serve_who_has_another_method(world):
    both = world.person("both", totp=True, password="pw")
    assert error(world.reset(both, code=sha256("pw"), method="password")) == "totp-invalid"


def test_the_clear_password_never_passes(world):
    carol = world.person("carol", password="pw")
    assert error(world.reset(carol, code="pw")) == "totp-invalid"
    assert error(world.reset(carol, code=sha256(sha256("pw")))) == "totp-invalid"


def test_the_fallback_can_be_switched_off(make_server, config, world):
    carol = world.person("carol", password="pw")
    world.client = make_server(config | {"E2ERESET_METHODS": ["totp", "email"]}).test_client()
    response = world.reset(carol, code=sha256("pw"))
    assert error(response) == "error-two-factor-not-available"


def test_without_any_method_one_is_refused(world):
    dave = world.person("dave")
    assert error(world.reset(dave)) == "error-two-factor-not-available"
    assert world.has_key(dave)


def test_without_any_method_one_may_pass_where_the_setting_says_so(make_server, config, world):
    dave = world.person("dave")
    world.client = make_server(config | {"E2ERESET_WITHOUT_METHOD": "allow"}).test_client()
    assert world.reset(dave).status_code == 200


def test_the_check_can_be_off_for_a_workspace(make_server, config, world, bob, caplog):
    world.client = make_server(config | {"E2ERESET_TWO_FACTOR": False}).test_client()
    assert "E2ERESET_TWO_FACTOR is off" in caplog.text
    assert world.reset(bob).status_code == 200
    assert world.outcomes()[-1][3:] == ("off", "reset")


def test_a_personal_token_with_bypass_passes(world, bob):
    bob.headers = world.sign_in(bob.id, expires_at=None, name="ci", bypass_two_factor=True)
    assert world.reset(bob).status_code == 200
    assert world.outcomes()[-1][3:] == ("bypass", "reset")


def test_a_personal_token_without_bypass_is_challenged(world, bob):
    bob.headers = world.sign_in(bob.id, expires_at=None, name="ci")
    assert error(world.reset(bob)) == "totp-required"


def test_bypass_can_be_forbidden(make_server, config, world, bob):
    bob.headers = world.sign_in(bob.id, expires_at=None, name="ci", bypass_two_factor=True)
    world.client = make_server(config | {"E2ERESET_BYPASS_TOKENS": False}).test_client()
    assert error(world.reset(bob)) == "totp-required"


def test_empty_headers_count_as_absent(world, bob):
    assert error(world.reset(bob, code="", method="")) == "totp-required"


# TOTP


@pytest.mark.parametrize("drift", [-30, 0, 30])
def test_a_code_of_a_neighbouring_step_passes(world, bob, drift):
    assert world.reset(bob, code=bob.totp.at(world.clock.now + drift)).status_code == 200


@pytest.mark.parametrize("drift", [-60, 60])
def test_a_code_further_off_does_not(world, bob, drift):
    assert error(world.reset(bob, code=bob.totp.at(world.clock.now + drift))) == "totp-invalid"


@pytest.mark.parametrize("drift", [-30, 0, 30])
def test_a_code_passes_once_at_each_offset(world, bob, drift):
    code = bob.totp.at(world.clock.now + drift)
    assert world.reset(bob, code=code).status_code == 200
    world.clock.now += 30
    assert error(world.reset(again(world, bob), code=code)) == "totp-invalid"


def test_an_earlier_step_never_passes_after_a_later_one(world, bob):
    old, new = bob.totp.at(world.clock.now - 30), bob.totp.at(world.clock.now)
    assert world.reset(bob, code=new).status_code == 200
    assert error(world.reset(again(world, bob), code=old)) == "totp-invalid"


def test_the_owner_is_told_when_a_spent_code_comes_again(world, bob):
    code = world.code(bob)
    world.reset(bob, code=code)
    world.reset(again(world, bob), code=code)
    assert [to for to, _ in world.queued("totp-replayed")] == ["bob@x.org"]


def test_a_spent_code_says_so_and_when_the_next_one_comes(world, bob):
    code = world.code(bob)
    world.reset(bob, code=code)
    world.clock.now += 11
    response = world.reset(again(world, bob), code=code)
    assert response.json["details"]["codeReused"] is True
    assert response.json["details"]["retryAfter"] == 19
    assert response.headers["Retry-After"] == "19"


def test_nothing_but_a_spent_code_is_told_of(world, bob):
    world.reset(bob, code=world.code(bob))
    again(world, bob)
    for code in ("000000", bob.totp.at(world.clock.now + 60), bob.totp.at(world.clock.now - 60)):
        response = world.reset(bob, code=code)
        assert "codeReused" not in response.json["details"]
        assert "Retry-After" not in response.headers


def test_a_code_of_a_sign_in_that_comes_again_there_alarms_nobody(world):
    carol = world.person("carol", totp=True, password="pw")
    code, name = world.code(carol), carol.username
    body = {"user": name, "password": "pw", "code": code}
    data = world.client.post("/api/v1/login", json=body).json["data"]
    carol.headers = {"X-User-Id": carol.id, "X-Auth-Token": data["authToken"]}
    response = world.reset(carol, code=code)
    assert response.json["details"]["codeReused"] is True
    assert world.queued("totp-replayed") == []


def test_a_code_of_a_sign_in_that_comes_again_from_elsewhere_alarms_the_owner(world):
    carol = world.person("carol", totp=True, password="pw")
    code = world.code(carol)
    body = {"user": carol.username, "password": "pw", "code": code}
    data = world.client.post("/api/v1/login", json=body).json["data"]
    carol.headers = {"X-User-Id": carol.id, "X-Auth-Token": data["authToken"]}
    world.reset(carol, code=code, environ_base={"REMOTE_ADDR": "203.0.113.9"})
    assert [to for to, _ in world.queued("totp-replayed")] == ["carol@x.org"]


def test_a_code_that_comes_again_at_another_sign_in_alarms_the_owner(world):
    carol = world.person("carol", totp=True, password="pw")
    body = {"user": "carol", "password": "pw", "code": world.code(carol)}
    answers = [world.client.post("/api/v1/login", json=body) for _ in range(2)]
    assert answers[1].json["details"]["codeReused"] is True
    assert len(world.queued("totp-replayed")) == 1


def test_no_handle_of_a_sign_in_is_stored_with_its_code(world, bob):
    world.reset(bob, code=world.code(bob))
    (row,) = world.rows(Totp)
    assert row.last_address == "127.0.0.1"
    assert bob.id not in row.last_sign_in


def test_the_code_that_confirmed_the_enrolment_is_spent(world):
    dave = world.person("dave")
    account = world.account(dave)
    factors = world.runtime.factors
    dave.totp = pyotp.TOTP(factors.begin_totp(account).secret)
    factors.confirm_totp(account, world.code(dave))
    assert error(world.reset(dave, code=world.code(dave))) == "totp-invalid"


@pytest.mark.parametrize(
    "code", ["1", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "0" * 5000, "\xb2\xb2\xb2\xb2\xb2\xb2"]
)
def test_what_is_no_code_is_invalid_and_no_fault(world, bob, code):
    response = world.reset(bob, headers={"x-2fa-code": code.encode().decode("latin-1")})
    assert error(response) == "totp-invalid"


def test_the_secret_is_encrypted_in_the_database(world, bob):
    stored = world.rows(Totp)[0].secret
    assert bob.totp.secret not in stored
    assert len(bob.totp.secret) * 5 == 160


# Backup codes


def test_there_are_twelve_backup_codes_of_eight_characters(bob):
    assert [len(code) for code in bob.backup_codes] == [8] * 12
    assert not set("".join(bob.backup_codes)) & set("01ILOilo")


def test_a_backup_code_passes_once_in_any_case_and_is_mailed(world, bob):
    code = bob.backup_codes[0]
    assert world.reset(bob, code=code.lower()).status_code == 200
    assert world.queued("backup-code-used")[0][1]["left"] == 11
    assert error(world.reset(again(world, bob), code=code)) == "totp-invalid"


def test_a_backup_code_of_somebody_else_is_worth_nothing(world, bob):
    dave = world.person("dave", totp=True)
    assert error(world.reset(dave, code=bob.backup_codes[0])) == "totp-invalid"
    assert len(world.rows(BackupCode, account_id=bob.id)) == 12


def test_backup_codes_are_stored_as_digests(world, bob):
    stored = " ".join(row.digest for row in world.rows(BackupCode))
    assert not any(code in stored for code in bob.backup_codes)


# Mailed codes


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


@pytest.mark.parametrize("spell", [str, lambda c: c.replace("-", ""), lambda c: " ".join(c)])
def test_separators_do_not_count_on_entry(world, eve, spell):
    world.reset(eve)
    assert world.reset(eve, code=spell(world.mailed_code())).status_code == 200


def test_a_live_code_is_not_mailed_again(world, eve):
    world.reset(eve)
    world.clock.now += 60
    details = world.reset(eve).json["details"]
    assert (details["codeGenerated"], details["codeCount"]) == (False, 1)
    assert len(world.queued("code")) == 1


def test_a_mailed_code_passes_once(world, eve):
    world.reset(eve)
    code = world.mailed_code()
    assert world.reset(eve, code=code).status_code == 200
    assert error(world.reset(again(world, eve), code=code)) == "totp-invalid"


def test_a_mailed_code_expires(world, eve):
    world.reset(eve)
    world.clock.now += 600
    assert error(world.reset(eve, code=world.mailed_code())) == "totp-invalid"


def test_a_mailed_code_is_dead_after_five_wrong_tries(world, eve):
    world.reset(eve)
    assert wrong(world, eve, 5) == ["totp-invalid"] * 5
    world.clock.now += 300
    assert error(world.reset(eve, code=world.mailed_code())) == "totp-invalid"


def test_a_code_for_one_target_is_worth_nothing_for_another(world, admin):
    for name in ("bob", "carl"):
        world.person(name)
    world.reset(admin, {"username": "bob"})
    assert world.queued("code")[0][1]["phrase"] == "reset the E2E key of bob"
    code = world.mailed_code()
    assert error(world.reset(admin, {"username": "carl"}, code=code)) == "totp-invalid"
    assert error(world.reset(admin, code=code)) == "totp-invalid"
    assert world.reset(admin, {"userId": "id-of-bob"}, code=code).status_code == 200


def test_a_code_for_another_action_is_worth_nothing(world):
    eve = world.person("eve", email=True, password="pw")
    body = {"user": "eve", "password": "pw"}
    assert world.client.post("/api/v1/login", json=body).status_code == 401
    code = world.mailed_code()
    assert error(world.reset(eve, code=code)) == "totp-invalid"
    assert world.client.post("/api/v1/login", json=body | {"code": code}).status_code == 200


def test_a_new_code_for_another_target_replaces_the_old_one(world, admin):
    for name in ("bob", "carl"):
        world.person(name)
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


def test_neither_code_nor_address_of_a_caller_is_in_clear_in_the_outbox(world, eve):
    world.reset(eve)
    (row,) = world.rows(EmailChallenge)
    assert world.mailed_code().replace("-", "") not in row.digest


# Mailing again


def test_a_pending_code_is_mailed_afresh(world, eve):
    world.reset(eve)
    world.clock.now += 31
    response = resend(world, "EVE")
    assert (response.status_code, response.data) == (200, b'{"success":true}')
    assert mails_with_codes(world) == 2
    code = Mailbox(world.app).code_for("eve@x.org")
    assert world.reset(eve, code=code).status_code == 200


@pytest.mark.parametrize("name", ["eve@x.org", "EVE@X.ORG", "eve"])
def test_it_is_found_by_address_and_by_name(world, eve, name):
    world.reset(eve)
    world.clock.now += 31
    resend(world, name)
    assert mails_with_codes(world) == 2


@pytest.mark.parametrize("name", ["nobody", "nobody@x.org", "", "eve"])
def test_without_a_pending_action_nothing_is_mailed_and_the_answer_is_the_same(world, eve, name):
    response = resend(world, name)
    assert (response.status_code, response.data) == (200, b'{"success":true}')
    assert mails_with_codes(world) == 0


@pytest.mark.parametrize("name", ["nobody", "eve", "x" * 10_000])
def test_the_answer_comes_before_any_look_at_who_it_is(world, eve, name):
    world.reset(eve)
    before = world.rows(EmailChallenge)[0].sent_at
    world.clock.now += 31
    world.client.post(CODE_URL, json={"emailOrUsername": name})
    assert world.rows(EmailChallenge)[0].sent_at == before
    assert len(world.rows(Job, kind="code-asked")) == 1


def test_one_who_asks_again_and_again_waits_once(world, eve):
    for name in ("eve", "EVE", "nobody", "eve", "Nobody"):
        answer = world.client.post(CODE_URL, json={"emailOrUsername": name})
        assert answer.data == b'{"success":true}'
    assert len(world.rows(Job, kind="code-asked")) == 2


def test_a_code_asked_for_long_ago_is_not_mailed(world, eve):
    world.reset(eve)
    world.clock.now += 31
    world.client.post(CODE_URL, json={"emailOrUsername": "eve"})
    world.clock.now += 600
    world.runtime.worker.run_due()
    assert mails_with_codes(world) == 1


@pytest.mark.parametrize("body", [{}, {"emailOrUsername": 1}, {"emailOrUsername": "a", "x": 1}])
def test_a_bad_body_is_400(world, body):
    assert world.client.post(CODE_URL, json=body).json["errorType"] == "invalid-params"


def test_nothing_is_mailed_while_the_tries_are_spent(world, eve):
    world.reset(eve)
    wrong(world, eve, 5)
    world.clock.now += 31
    resend(world, "eve")
    assert error(world.reset(eve)) == "totp-max-attempts"
    assert mails_with_codes(world) == 1


# Budgets


def test_after_five_wrong_tries_a_right_one_is_not_looked_at(world, bob):
    wrong(world, bob, 5)
    response = world.reset(bob, code=world.code(bob))
    assert error(response) == "totp-max-attempts"
    assert response.json["error"].endswith("[totp-max-attempts]")
    assert response.json["details"]["retryAfter"] == 300
    assert response.headers["Retry-After"] == "300"
    assert world.has_key(bob)


def test_the_budget_opens_again_after_its_window(world, bob):
    wrong(world, bob, 5)
    world.clock.now += 300
    assert world.reset(bob, code=world.code(bob)).status_code == 200


def test_there_are_twenty_tries_an_hour_and_fifty_a_day(world, bob):
    start, passed = world.clock.now, {}
    for at in (0, 300, 600, 900, 1200, 3600, 3900, 4200, 4500, 4800, 7200, 7500, 7800, 10800):
        world.clock.now = start + at
        passed[at] = wrong(world, bob, 5).count("totp-invalid")
    assert [at for at, count in passed.items() if count == 5] == [
        *(0, 300, 600, 900),
        *(3600, 3900, 4200, 4500),
        *(7200, 7500),
    ]
    assert sum(passed.values()) == 50


def test_a_success_takes_back_only_its_own_charge(world, bob):
    wrong(world, bob, 4)
    assert world.reset(bob, code=world.code(bob)).status_code == 200
    again(world, bob)
    assert wrong(world, bob, 2) == ["totp-invalid", "totp-max-attempts"]


def test_a_hundred_right_resets_an_hour_are_fine(world):
    carol = world.person("carol", password="pw")
    for _ in range(100):
        assert world.reset(again(world, carol), code=sha256("pw")).status_code == 200


def test_a_charge_survives_the_rollback_of_what_follows(world, bob, engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE e2ereset_key_pairs RENAME TO gone")
    for _ in range(5):
        code = bob.totp.at(world.clock.now)
        assert world.reset(bob, code=code).status_code == 503
    assert error(world.reset(bob, code=code)) == "totp-max-attempts"


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


def test_the_owner_is_told_once_an_hour_that_a_budget_ran_out(world, bob):
    wrong(world, bob, 8)
    assert [f["method"] for _, f in world.queued("budget-exhausted")] == ["totp"]
    world.clock.now += 3600
    wrong(world, bob, 5)
    assert len(world.queued("budget-exhausted")) == 2


def test_methods_have_budgets_of_their_own(world):
    both = world.person("both", totp=True, email=True)
    wrong(world, both, 6)
    assert error(world.reset(both, method="email")) == "totp-required"
    assert world.reset(both, code=world.mailed_code(), method="email").status_code == 200


def test_sends_are_fifteen_a_day(world, eve):
    for _ in range(30):
        world.clock.now += 1860
        world.reset(eve)
    assert len(world.queued("code")) == 15


def test_one_user_can_not_spend_the_budget_of_another(world, bob):
    dave = world.person("dave", totp=True)
    wrong(world, bob, 6)
    assert world.reset(dave, code=world.code(dave)).status_code == 200


def test_the_owner_is_told_when_the_tries_at_the_password_run_out(world):
    world.person("carol", password="pw")
    body = {"user": "carol", "password": "no"}
    for _ in range(7):
        assert world.client.post("/api/v1/login", json=body).status_code == 401
    assert [f["method"] for _, f in world.queued("budget-exhausted")] == ["password"]
    right = world.client.post("/api/v1/login", json=body | {"password": "pw"})
    assert (right.status_code, right.json["error"]) == (401, "error-login-blocked-for-user")
