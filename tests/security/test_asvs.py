"""Section 12 of the security checklist: OWASP ASVS 5.0, chapters 2, 6, 7, and 8."""

import random
import secrets

import pyotp
import pytest

from e2ereset import Caller, Proof
from e2ereset.errors import NotAllowed
from e2ereset.factors.models import BackupCode, EmailChallenge, Totp
from e2ereset.factors.strategies.totp import backup_digest
from e2ereset.jobs.models import Job
from e2ereset.records import TargetName
from e2ereset.settings import load_settings
from tests.kit.paths import ROOT
from tests.kit.world import sha256
from tests.security.attacker import (
    API,
    KEY,
    ME,
    again,
    api_routes,
    at_once,
    break_table,
    error,
    login,
    other_worker,
    resend,
    wrong,
)

DOCS = ROOT / "docs"


@pytest.fixture
def admin(world):
    return world.person("root", totp=True, email=True, roles=["admin"])


def page(name):
    return " ".join((DOCS / name).read_text(encoding="utf-8").split())


def test_12_6_1_1_limits_and_what_keeps_the_owner_from_being_locked_out_are_documented():
    settings = page("settings.md")
    for name in ("5_MINUTES", "HOUR", "DAY"):
        assert f"E2ERESET_TRIES_PER_{name}" in settings
    assert "a stranger cannot lock the owner out of a reset" in page("security.md")


def test_12_6_1_3_every_way_past_the_check_is_documented():
    for way in ("METHODS", "TWO_FACTOR", "WITHOUT_METHOD", "BYPASS_TOKENS"):
        assert f"`E2ERESET_{way}`" in page("settings.md")
    for method in load_settings(KEY).methods:
        assert method in page("security.md")


def test_12_6_2_8_a_password_is_verified_to_its_last_character(world):
    right = "x" * 100
    world.person("ann", password=right)
    for other in (right[1:] + "y", right[1:], right + "x", " " + right):
        assert login(world, "ann", other).status_code == 401
    assert login(world, "ann", right).status_code == 200


def test_12_6_2_9_a_long_password_is_fine(world):
    for name, password in (("ann", "x" * 64), ("ben", "p\xe4ss phrase \u2603 " * 100)):
        world.person(name, password=password)
        assert login(world, name, password).status_code == 200


def test_12_6_3_1_guessing_is_stopped_as_documented(world, bob):
    assert wrong(world, bob, 6) == ["totp-invalid"] * 5 + ["totp-max-attempts"]
    world.clock.now += 299
    assert error(world.reset(bob)) == "totp-max-attempts"
    world.clock.now += 1
    assert error(world.reset(bob)) == "totp-required"


def test_12_6_3_4_every_way_in_is_documented_and_as_strong(world, app):
    described = page("api.md")
    assert [path for _, path in api_routes(app) if path not in described] == []
    world.person("ann", totp=True, password="pw")
    assert error(login(world, "ann")) == "totp-required"


def test_12_6_3_5_a_right_password_with_wrong_codes_is_told_to_the_owner(world):
    world.person("ann", totp=True, password="pw")
    for _ in range(5):
        assert login(world, "ann", code="000000").status_code == 401
    assert [facts["method"] for _, facts in world.queued("budget-exhausted")] == ["totp"]


def test_12_6_3_6_mail_can_be_no_factor_at_all(world, eve, make_server, config):
    world.reset(eve)
    world.clock.now += 31
    strict = other_worker(world, make_server(config | {"E2ERESET_METHODS": ["totp"]}))
    strict.runtime = strict.app.extensions["e2ereset"]
    assert resend(strict, "eve").status_code == 200
    assert len(world.rows(Job, kind="code")) == 1
    assert error(strict.reset(eve)) == "error-two-factor-not-available"


def test_12_6_3_7_a_changed_factor_is_told_to_the_owner(world):
    account = world.account(world.person("ann"))
    world.runtime.factors.set_email(account, True)
    world.runtime.factors.set_email(account, False)
    changes = [facts["change"] for _, facts in world.queued("factor-changed")]
    assert changes == ["Codes by e-mail were enabled", "Codes by e-mail were disabled"]


def test_12_6_3_8_no_answer_tells_whether_a_user_exists(world, bob):
    world.person("ann", password="pw")
    world.person("off", password="pw", active=False, key=False)
    assert len({login(world, name, "no").data for name in ("ann", "off", "bob", "nix")}) == 1
    assert resend(world, "ann").data == resend(world, "nix").data
    answers = {
        world.reset(bob, {"user": name}, code=code).data
        for name, code in zip(("ann", "nix"), bob.backup_codes, strict=False)
    }
    assert len(answers) == 1


def test_12_6_4_3_a_reset_needs_the_second_factor_whoever_is_signed_in(world, admin):
    world.person("ann", totp=True)
    assert error(world.reset(admin, {"user": "ann"})) == "totp-required"
    assert error(world.reset(admin)) == "totp-required"


def test_12_6_4_6_an_administrator_never_sees_or_chooses_the_new_key(world, admin):
    ann = world.person("ann")
    body = {"user": "ann", "public_key": "MINE", "private_key": "MINE"}
    assert error(world.reset(admin, body, code=world.code(admin))) == "invalid-params"
    answer = world.reset(admin, {"user": "ann"}, code=world.code(admin))
    assert answer.data == b'{"success":true}'
    assert not world.has_key(ann)


@pytest.mark.parametrize("kind", ["totp", "backup", "email"])
def test_12_6_5_1_codes_of_every_kind_pass_once(world, kind):
    ann = world.person("ann", totp=kind != "email", email=True)
    world.reset(ann)
    code = {
        "totp": lambda: world.code(ann),
        "backup": lambda: ann.backup_codes[0],
        "email": world.mailed_code,
    }[kind]()
    assert world.reset(ann, code=code).status_code == 200
    assert error(world.reset(again(world, ann), code=code)) == "totp-invalid"


def test_12_6_5_2_a_look_up_secret_is_stored_under_a_key_kept_elsewhere(world, bob):
    code, stored = bob.backup_codes[0], {row.digest for row in world.rows(BackupCode)}
    encrypted = world.rows(Totp)[0].secret
    for key, is_there in ((bob.totp.secret, True), (encrypted, False), ("", False)):
        assert (backup_digest(key, bob.id, code) in stored) is is_there


def test_12_6_5_3_codes_come_from_the_systems_generator(world):
    assert world.runtime.entropy is secrets
    random.seed(1)
    first = pyotp.random_base32()
    random.seed(1)
    assert pyotp.random_base32() != first


def test_12_6_5_4_a_code_has_a_million_values_or_more(world, bob, eve):
    world.reset(eve)
    assert len(world.mailed_code().replace("-", "")) >= 6
    assert len(world.code(bob)) >= 6


def test_12_6_5_5_mailed_codes_live_ten_minutes_and_totp_codes_half_of_one(world, bob, eve):
    assert bob.totp.interval == 30
    world.reset(eve)
    code = world.mailed_code()
    world.clock.now += 600
    assert error(world.reset(eve, code=code)) == "totp-invalid"


def test_12_6_5_6_a_factor_can_be_revoked(world, bob):
    world.runtime.factors.disable_totp(world.account(bob))
    for code in (world.code(bob), bob.backup_codes[0]):
        assert error(world.reset(bob, code=code)) == "error-two-factor-not-available"


def test_12_6_5_8_only_the_servers_clock_counts(world, bob):
    old = bob.totp.at(world.clock.now - 3600)
    headers = {"Date": "Fri, 15 Jan 2027 07:00:00 GMT", "X-Timestamp": str(world.clock.now - 3600)}
    assert error(world.reset(bob, code=old, headers=headers)) == "totp-invalid"


def test_12_6_6_2_a_mailed_code_is_for_its_own_request_only(world):
    root = world.person("root", email=True, roles=["admin"])
    world.person("ann")
    world.reset(root, {"user": "ann"})
    earlier = world.mailed_code()
    assert error(world.reset(root, code=earlier)) == "totp-invalid"
    world.clock.now += 601
    world.reset(root, {"user": "ann"})
    assert error(world.reset(root, {"user": "ann"}, code=earlier)) == "totp-invalid"


def test_12_6_6_3_tries_at_a_mailed_code_are_limited(world, eve):
    world.reset(eve)
    assert wrong(world, eve, 6)[-1] == "totp-max-attempts"


def test_12_6_6_4_nobody_can_be_flooded_with_codes(world, eve):
    for _ in range(20):
        world.clock.now += 170
        world.reset(eve)
        resend(world, "eve")
        resend(world, "eve", eve.headers)
    # Within the hour five that she asks for, and five a day that strangers do.
    assert len(world.rows(Job, kind="code")) == 5 + 5


def test_12_7_2_4_every_sign_in_makes_a_new_token(world):
    world.person("ann", password="pw")
    tokens = {login(world, "ann").json["data"]["authToken"] for _ in range(3)}
    assert len(tokens) == 3


def test_12_7_4_1_an_ended_sign_in_does_nothing(world, bob):
    world.client.post(API + "logout", headers=bob.headers)
    assert world.client.get(ME, headers=bob.headers).status_code == 401
    assert world.reset(bob, code=world.code(bob)).status_code == 401


def test_12_7_4_5_an_administrator_ends_every_sign_in_of_a_user(world, admin):
    ann = world.person("ann")
    others = [world.sign_in(ann.id), world.sign_in(ann.id, expires_at=None, name="ci")]
    world.reset(admin, {"user": "ann"}, code=world.code(admin))
    for headers in (ann.headers, *others):
        assert world.client.get(ME, headers=headers).status_code == 401


def test_12_7_5_3_a_sign_in_alone_resets_nothing(world, bob):
    assert error(world.reset(bob)) == "totp-required"
    assert world.has_key(bob)


def test_12_2_3_1_no_step_can_be_skipped(world, eve):
    assert error(world.reset(eve, code="123456")) == "totp-invalid"
    assert world.rows(EmailChallenge) == []
    assert world.has_key(eve)


@pytest.mark.parametrize("table", ["subscriptions", "e2ereset_audit", "e2ereset_outbox"])
def test_12_2_3_3_a_reset_is_whole_or_not_at_all(world, bob, engine, table):
    world.room("secret", bob)
    break_table(engine, table)
    assert world.reset(bob, code=world.code(bob)).status_code == 503
    assert (world.has_key(bob), world.tokens(bob), world.waiting(bob)) == (True, 1, set())


def test_12_2_3_4_a_code_is_locked_while_it_is_used(world):
    root = world.person("root", email=True, roles=["admin"])
    world.person("ann")
    world.reset(root, {"user": "ann"})
    answers = at_once(world, root, 4, body={"user": "ann"}, code=world.mailed_code())
    assert [a.status_code for a in answers].count(200) == 1


def test_12_2_4_1_a_caller_is_held_to_a_rate(world, bob, make_server, config):
    mine = other_worker(world, make_server(config | {"RATELIMIT_ENABLED": True}))
    statuses = [mine.reset(bob).json.get("errorType") for _ in range(11)]
    assert statuses == ["totp-required"] * 10 + [None]
    assert mine.reset(bob).status_code == 429


def test_12_8_2_1_resetting_others_takes_the_permission(world, bob, admin):
    answer = world.reset(bob, {"user": "root"}, code=world.code(bob))
    assert error(answer) == "error-not-allowed"
    assert world.has_key(admin)


def test_12_8_2_2_the_permission_does_not_reach_everybody(world):
    with world.runtime.transactions.begin() as session:
        world.runtime.permissions.grant(session, "edit-other-user-e2ee", "guest")
    guest = world.person("guest", password="pw", roles=["guest"])
    ann = world.person("ann")
    assert error(world.reset(guest, {"user": "ann"}, code=sha256("pw"))) == "error-not-allowed"
    assert world.has_key(ann)


def test_12_8_3_1_the_permission_is_checked_in_the_service(world, bob, admin):
    caller, proof = Caller(account=world.account(bob)), Proof(code=world.code(bob))
    with pytest.raises(NotAllowed):
        world.runtime.resets.reset_key(caller, TargetName(user_id=admin.id), proof, world.clock.now)
    assert world.has_key(admin)


def test_12_8_3_2_a_revoked_permission_is_gone_at_once_in_every_worker(
    world, admin, make_server, config
):
    world.person("ann")
    other = other_worker(world, make_server(config))
    code = world.code(admin)
    with world.runtime.transactions.begin() as session:
        world.runtime.permissions.revoke(session, "edit-other-user-e2ee", "admin")
    assert error(other.reset(admin, {"user": "ann"}, code=code)) == "error-not-allowed"


def test_12_8_1_4_who_must_prove_what_is_documented():
    api = page("api.md")
    assert api.index("totp-required") < api.index("edit-other-user-e2ee")
    assert api.index("edit-other-user-e2ee") < api.index("outranks the caller")
