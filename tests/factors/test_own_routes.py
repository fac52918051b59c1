"""People look after their second factors by request (rows of the reference's section 4.1)."""

from functools import partial

import pyotp
import pytest
from sqlalchemy import update

from e2ereset.factors.models import BackupCode, EmailFactor, Passkey
from e2ereset.records import iso
from e2ereset.server.people.models import Email
from e2ereset.server.sessions.models import PERSONAL, Token
from tests.kit.client import API
from tests.kit.live import at_once
from tests.kit.rows import row
from tests.kit.states import enrol_totp
from tests.kit.world import error, sha256

NO_BODY = ["users.2fa.enableEmail", "users.2fa.disableEmail", "users.enableTotp", "users.resetTOTP"]
WITH_CODE = ["users.validateTotp", "users.disableTotp", "users.regenerateTotpCodes"]
ALL = [*NO_BODY, *WITH_CODE]


@pytest.fixture
def post(world):
    """POST to a route as this person."""

    def post(name, person, body=None, *, code=None, method=None):
        proof = {"x-2fa-code": code, "x-2fa-method": method}
        sent = {header: value for header, value in proof.items() if value}
        return world.client.post(API + name, json=body, headers=person.headers | sent)

    return post


@pytest.fixture
def ann(world):
    """Somebody with a password, and no second factor."""
    return world.person("ann", password="a password")


@pytest.fixture
def enrol(world, post):
    """Enrol TOTP by the routes; the backup codes."""

    def enrol(person, **proof):
        begun = post("users.enableTotp", person, **proof)
        person.totp = pyotp.TOTP(begun.json["secret"])
        return post("users.validateTotp", person, {"code": world.code(person)}).json["codes"]

    return enrol


def password():
    return {"code": sha256("a password"), "method": "password"}


def later(world, seconds=60):
    world.clock.now += seconds


def remaining(world, person):
    return world.client.get(API + "users.totpCodesRemaining", headers=person.headers).json


# Who may


def test_nobody_changes_a_factor_without_a_sign_in(world):
    answers = [world.client.post(API + name, json={"code": "123456"}) for name in ALL]
    assert {answer.status_code for answer in answers} == {401}


def test_bodies_have_what_is_required_and_nothing_else(post, bob):
    for name in ALL:
        body = {"code": "123456"} if name in WITH_CODE else {}
        answer = post(name, bob, body | {"force": True})
        assert answer.json["error"].startswith("must NOT have additional properties")
    for name in WITH_CODE:
        assert "must have required property 'code'" in post(name, bob, {}).json["error"]


# E-mail


def test_enable_email_needs_no_second_factor_of_who_has_none(world, post, ann):
    assert post("users.2fa.enableEmail", ann).data == b'{"success":true}'
    assert world.told() == ["Codes by e-mail were switched on"]
    assert world.outcomes()[-1] == ("enable-email-codes", ann.id, ann.id, "", "passed")


@row("13.mfa.15", "13.1.3")
def test_enable_email_is_behind_the_factor_that_one_has(world, post, bob):
    assert error(post("users.2fa.enableEmail", bob)) == "totp-required"
    assert not world.rows(EmailFactor)
    assert post("users.2fa.enableEmail", bob, code=world.code(bob)).status_code == 200
    assert world.rows(EmailFactor)


def test_enable_email_refuses_who_has_no_verified_address(world, post):
    person = world.person("nobody", emails=["n@x.org!"])
    answer = post("users.2fa.enableEmail", person)
    words = "You need to verify your emails before setting up 2FA [error-invalid-user]"
    assert (answer.status_code, answer.json["error"]) == (400, words)
    assert answer.json["errorType"] == "error-invalid-user"


def test_enable_email_logs_out_other_clients_and_keeps_personal_tokens(world, post, ann):
    other = world.sign_in(ann.id)
    script = world.sign_in(ann.id, name="script", expires_at=None)
    post("users.2fa.enableEmail", ann)
    me = [world.client.get(API + "me", headers=h).status_code for h in (ann.headers, other, script)]
    assert me == [200, 401, 200]
    assert len(world.rows(Token, kind=PERSONAL)) == 1


def test_disable_email_needs_the_factor_and_logs_nobody_out(world, post, eve):
    world.sign_in(eve.id)
    asked = post("users.2fa.disableEmail", eve)
    assert asked.json["details"]["method"] == "email"
    assert post("users.2fa.disableEmail", eve, code=world.mailed_code()).status_code == 200
    assert (world.rows(EmailFactor), world.tokens(eve)) == ([], 2)


# TOTP


def test_enable_totp_asks_for_the_password_of_who_has_nothing_else(world, post, ann):
    asked = post("users.enableTotp", ann)
    assert (error(asked), asked.json["details"]["method"]) == ("totp-required", "password")
    begun = post("users.enableTotp", ann, **password()).json
    assert pyotp.parse_uri(begun["url"]).secret == begun["secret"]


def test_enable_totp_needs_no_proof_of_who_has_nothing_to_prove(world, enrol):
    assert len(enrol(world.person("new"))) == 12


@row("12.6.4.4", "13.mfa.15", "13.1.2")
def test_enable_totp_is_behind_the_factor_that_one_has(world, post, eve):
    assert error(post("users.enableTotp", eve)) == "totp-required"
    assert error(post("users.enableTotp", eve, code="000000")) == "totp-invalid"
    begun = post("users.enableTotp", eve, code=world.mailed_code())
    assert begun.status_code == 200


def test_enable_totp_refuses_who_has_it(post, bob):
    assert error(post("users.enableTotp", bob)) == "error-2fa-already-enabled"


def test_a_secret_that_was_begun_before_mailed_codes_is_not_behind_them(world, post):
    person = world.person("new")
    totp = pyotp.TOTP(post("users.enableTotp", person).json["secret"])
    assert post("users.2fa.enableEmail", person).status_code == 200
    late = post("users.validateTotp", person, {"code": totp.at(world.clock.now)})
    assert error(late) == "invalid-totp"


def test_validate_totp_refuses_a_wrong_code_and_one_without_a_pending_secret(world, post, ann):
    assert error(post("users.validateTotp", ann, {"code": "000000"})) == "invalid-totp"
    post("users.enableTotp", ann, **password())
    assert error(post("users.validateTotp", ann, {"code": "000000"})) == "invalid-totp"
    assert not world.runtime.factors.status(ann.id).totp


def test_tries_at_a_pending_secret_are_counted_and_the_owner_told(world, post, ann):
    for _ in range(5):
        post("users.validateTotp", ann, {"code": "000000"})
    answer = post("users.validateTotp", ann, {"code": "000000"})
    assert (error(answer), answer.json["details"]["retryAfter"]) == ("totp-max-attempts", 300)
    assert len(world.queued("budget-exhausted")) == 1


def test_the_try_that_locks_a_pending_secret_is_recorded_and_told(world, post, ann):
    post("users.enableTotp", ann, **password())
    for _ in range(100):
        later(world, 86400)
        post("users.validateTotp", world.again(ann), {"code": "000000"})
    assert [facts["method"] for _, facts in world.queued("factor-locked")] == ["totp"]
    assert world.outcomes().count(("lock-factor", ann.id, ann.id, "totp", "locked")) == 1


@row("12.7.4.3")
def test_validate_totp_logs_out_other_clients(world, ann, enrol):
    other = world.sign_in(ann.id)
    enrol(ann, **password())
    me = [world.client.get(API + "me", headers=h).status_code for h in (ann.headers, other)]
    assert me == [200, 401]


def test_disable_totp_takes_a_code_or_a_backup_code_and_logs_nobody_out(world, post, bob):
    assert post("users.disableTotp", bob, {"code": "000000"}).json["disabled"] is False
    code = bob.backup_codes[0]
    answers = [post("users.disableTotp", bob, {"code": code}).json["disabled"] for _ in range(2)]
    assert answers == [True, False]
    assert (world.rows(BackupCode), world.tokens(bob)) == ([], 1)


def test_nothing_spares_the_code_that_disables_totp(world, post, bob, with_settings):
    bob.headers = world.sign_in(bob.id, name="ci", expires_at=None, bypass_two_factor=True)
    off = with_settings(E2ERESET_TWO_FACTOR=False, E2ERESET_WITHOUT_METHOD="allow")
    no_totp = with_settings(E2ERESET_METHODS=["email"], E2ERESET_WITHOUT_METHOD="allow")
    for twin in (world, off, no_totp):
        url, body = API + "users.disableTotp", {"code": "000000"}
        assert not twin.client.post(url, json=body, headers=bob.headers).json["disabled"]
    assert world.runtime.factors.status(bob.id).totp


def test_tries_to_disable_totp_are_counted(post, bob):
    tries = [post("users.disableTotp", bob, {"code": "000000"}).status_code for _ in range(6)]
    assert tries == [200] * 5 + [400]


def test_regenerate_codes_replaces_them(world, post, bob):
    codes = post("users.regenerateTotpCodes", bob, {"code": world.code(bob)}).json["codes"]
    assert len(set(codes)) == 12
    assert error(world.reset(bob, code=bob.backup_codes[0])) == "totp-invalid"
    assert world.reset(bob, code=codes[0]).status_code == 200


def test_regenerate_codes_refuses_a_wrong_code(post, bob, ann):
    for person in (bob, ann):
        answer = post("users.regenerateTotpCodes", person, {"code": "000000"})
        assert error(answer) == "invalid-totp"


def test_codes_remaining_counts_the_unused(world, bob, ann):
    world.reset(bob, code=bob.backup_codes[0])
    world.again(bob)
    assert remaining(world, bob) == {"remaining": 11, "success": True}
    assert remaining(world, ann)["errorType"] == "invalid-totp"


# A young factor


def test_the_code_that_enrols_is_no_proof(world, post, ann, enrol):
    enrol(ann, **password())
    assert error(world.reset(ann, code=world.code(ann), method="totp")) == "totp-invalid"


@row("9.12")
def test_a_factor_is_no_proof_for_a_sign_in_that_is_older(world, ann, enrol):
    later(world)
    enrol(ann, **password())
    later(world)
    asked = world.reset(ann, code=world.code(ann), method="totp")
    assert (error(asked), asked.json["details"]["method"]) == ("totp-invalid", "password")
    assert world.reset(world.again(ann), code=world.code(ann)).status_code == 200


def test_mailed_codes_are_no_proof_for_a_sign_in_that_is_older(world, post, ann):
    later(world)
    post("users.2fa.enableEmail", ann)
    assert world.reset(ann).json["details"]["method"] == "password"
    assert world.reset(world.again(ann)).json["details"]["method"] == "email"


def test_a_young_factor_guards_the_enrolment_of_another(world, post, ann, enrol):
    later(world)
    enrol(ann, **password())
    assert error(post("users.2fa.enableEmail", ann)) == "totp-required"
    later(world)
    assert post("users.2fa.enableEmail", ann, code=world.code(ann)).status_code == 200


def test_a_young_factor_can_be_disabled_by_its_code(world, post, ann, enrol):
    later(world)
    codes = enrol(ann, **password())
    assert post("users.disableTotp", ann, {"code": codes[0]}).json["disabled"] is True


def test_a_sign_in_without_any_older_factor_proves_nothing(world, enrol):
    person = world.person("new")
    later(world)
    enrol(person)
    later(world)
    assert error(world.reset(person, code=world.code(person))) == "error-two-factor-not-available"


@row("9.12")
def test_who_has_a_factor_is_never_let_through_as_somebody_without(world, enrol, with_settings):
    person, allows = world.person("new"), with_settings(E2ERESET_WITHOUT_METHOD="allow")
    later(world)
    enrol(person)
    later(world)
    assert error(allows.reset(person)) == "error-two-factor-not-available"
    assert allows.reset(world.again(person), code=world.code(person)).status_code == 200


# users.resetTOTP


def test_reset_totp_of_oneself_logs_out_everywhere(world, post, bob):
    world.sign_in(bob.id, name="script", expires_at=None)
    assert error(post("users.resetTOTP", bob)) == "totp-required"
    assert post("users.resetTOTP", bob, code=world.code(bob)).data == b'{"success":true}'
    assert (world.tokens(bob), world.runtime.factors.status(bob.id).totp) == (0, False)
    assert world.outcomes()[-1] == ("reset-totp", bob.id, bob.id, "totp", "reset")


def test_reset_totp_of_another_is_told_to_its_owner(world, post, admin, bob):
    answer = post("users.resetTOTP", admin, {"username": "bob"}, code=world.code(admin))
    assert answer.data == b'{"success":true}'
    ((recipient, facts),) = [(r, f) for r, f in world.queued("factor-changed") if f.get("by")]
    told = (recipient, facts["change"], facts["by"], facts["signed_out"])
    assert told == ("bob@x.org", "The authenticator app was switched off", "root", True)
    assert (world.tokens(bob), world.tokens(admin)) == (0, 1)


def test_reset_totp_that_removes_nothing_logs_nobody_out(world, post, admin, eve):
    answer = post("users.resetTOTP", admin, {"userId": eve.id}, code=world.code(admin))
    assert (answer.status_code, world.tokens(eve)) == (200, 1)
    assert world.outcomes()[-1][-1] == "nothing-to-reset"


def test_reset_totp_checks_the_permission_before_it_looks(world, post, bob):
    for name in ("root", "nobody-at-all"):
        answer = post("users.resetTOTP", bob, {"username": name}, code=world.code(bob))
        assert answer.json["error"] == "Not allowed [error-not-allowed]"
        later(world)


def test_reset_totp_of_nobody(world, post, admin):
    answer = post("users.resetTOTP", admin, {"username": "nobody"}, code=world.code(admin))
    assert error(answer) == "error-invalid-user"
    blank = post("users.resetTOTP", admin, {"username": " "})
    assert error(blank) == "error-user-param-not-provided"


def test_reset_totp_of_a_federated_user(world, post, admin):
    world.person("far", kind="federated")
    answer = post("users.resetTOTP", admin, {"user": "far"}, code=world.code(admin))
    assert answer.json["error"] == "Federated Users cant have TOTP [error-not-allowed]"
    assert answer.json["details"] == {"function": "resetTOTP"}


def test_reset_totp_where_the_second_factor_is_off(world, admin, bob, with_settings):
    off, url = with_settings(E2ERESET_TWO_FACTOR=False), API + "users.resetTOTP"
    answers = [
        off.client.post(url, json={"username": "nobody"}, headers=person.headers)
        for person in (admin, bob)
    ]
    assert list(map(error, answers)) == ["error-two-factor-not-enabled", "error-not-allowed"]


def test_who_is_outranked_cannot_reset_totp(world, post, admin, bob):
    world.permit("edit-other-user-totp", "user")
    answer = post("users.resetTOTP", bob, {"username": "root"}, code=world.code(bob))
    assert error(answer) == "error-not-allowed"
    assert world.runtime.factors.status(admin.id).totp


def test_reset_totp_opens_what_was_locked(world, post, admin, bob, enrol):
    world.fail(bob)
    post("users.resetTOTP", admin, {"username": "bob"}, code=world.code(admin))
    assert enrol(world.again(bob))


def test_a_verified_address_that_is_lost_stops_mailed_codes(world, post, ann):
    post("users.2fa.enableEmail", ann)
    world.session.execute(update(Email).values(verified=False))
    world.session.commit()
    assert world.reset(ann).json["details"]["method"] == "password"


# users.2fa.status


@pytest.fixture
def status(world):
    """The status that the route tells this person; the method's part, without the times."""

    def status(person, method=None):
        told = world.client.get(API + "users.2fa.status", headers=person.headers).json
        return told if method is None else {k: v for k, v in told[method].items() if k[-2:] != "At"}

    return status


OFF = {"enabled": False, "provesThisSignIn": False, "locked": False}
ON = {"enabled": True, "provesThisSignIn": True, "locked": False}


def test_status_tells_since_when_and_when_last_used(world, status, bob, ann):
    off = {"totp": OFF, "email": OFF, "passkey": OFF}
    assert status(ann) == {**off, "backupCodesLeft": 0, "success": True}
    enabled = iso(world.clock.now)
    assert status(bob)["totp"] == ON | {"enabledAt": enabled}
    later(world)
    world.reset(bob, code=bob.backup_codes[0])
    told = status(world.again(bob))
    assert told["totp"] == ON | {"enabledAt": enabled, "lastUsedAt": iso(world.clock.now)}
    assert told["backupCodesLeft"] == 11
    later(world)
    world.reset(bob, code=world.code(bob))
    assert status(world.again(bob))["totp"]["lastUsedAt"] == iso(world.clock.now)


def test_status_tells_of_mailed_codes(world, status, eve):
    assert "lastUsedAt" not in status(eve)["email"]
    world.reset(eve)
    later(world)
    world.reset(eve, code=world.mailed_code())
    assert status(world.again(eve))["email"]["lastUsedAt"] == iso(world.clock.now)
    world.session.execute(update(Email).values(verified=False))
    world.session.commit()
    assert status(eve, "email") == ON | {"provesThisSignIn": False}


def test_status_tells_of_passkeys(world, status, ann):
    now = world.clock.now
    facts = {"credential": "c", "transports": "", "counter": 0, "name": "phone", "used_at": now + 5}
    world.session.add(Passkey(id="p", account_id=ann.id, created_at=now, counts_from=now, **facts))
    world.session.commit()
    times = {"enabledAt": iso(now), "lastUsedAt": iso(now + 5)}
    # They are no method of this server.
    assert status(ann)["passkey"] == ON | times | {"provesThisSignIn": False}


def test_status_tells_what_proves_this_sign_in(world, status, ann, enrol):
    later(world)
    enrol(ann, **password())
    assert status(ann, "totp") == ON | {"provesThisSignIn": False}
    assert status(world.again(ann), "totp") == ON
    world.fail(ann)
    assert status(ann, "totp") == ON | {"provesThisSignIn": False, "locked": True}


def test_a_new_enrolment_was_never_used(world, status, bob):
    world.reset(bob, code=world.code(bob))
    world.runtime.factors.disable_totp(world.account(bob))
    enrol_totp(world.runtime, bob)
    assert "lastUsedAt" not in status(world.again(bob))["totp"]


def test_status_is_nobody_elses(world):
    assert world.client.get(API + "users.2fa.status").status_code == 401


# At the same time


def test_a_code_disables_once_in_however_many_sign_ins(world, bob):
    def ask(headers):
        """The answer to one request, in a sign-in of its own."""
        body = {"code": bob.backup_codes[0]}
        url = API + "users.disableTotp"
        return world.app.test_client().post(url, json=body, headers=headers).json

    sign_ins = [world.sign_in(bob.id) for _ in range(4)]
    disabled = at_once([partial(ask, headers) for headers in sign_ins])
    assert sum(answer.get("disabled", False) for answer in disabled) == 1
    assert world.told() == [
        "The authenticator app was switched on",
        "The authenticator app was switched off",
    ]
