"""Section 9 of the security checklist, rows 1 to 25: attacks that worked elsewhere."""

import base64

import pyotp
import pytest

from e2ereset.errors import SettingsError
from e2ereset.factors.models import Budget
from e2ereset.jobs.models import Job
from e2ereset.settings import load_settings
from tests.kit.world import sha256
from tests.security.attacker import (
    API,
    KEY,
    LOGIN,
    OPEN,
    SEND,
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


@pytest.fixture
def admin(world):
    return world.person("root", totp=True, email=True, roles=["admin"])


def test_9_01_no_request_field_switches_the_check_off(world, bob):
    world.person("ann", totp=True, password="pw")
    for field in ("cas", "twoFactor", "bypassTwoFactor", "skip2fa", "method"):
        for value in (True, "none"):
            assert error(world.reset(bob, {field: value})) == "invalid-params"
        assert error(world.reset(bob, headers={f"x-{field}": "true"})) == "totp-required"
        assert login(world, "ann", **{field: True}).status_code == 401


def test_9_02_an_operator_where_a_text_is_due_is_400(world, admin):
    code = world.code(admin)
    for operator in ({"$ne": ""}, {"$gt": ""}, ["bob"], {"$regex": "."}):
        for field in ("userId", "username", "user"):
            assert error(world.reset(admin, {field: operator}, code=code)) == "invalid-params"
        assert world.client.post(SEND, json={"emailOrUsername": operator}).status_code == 400
        assert login(world, operator).status_code in (400, 401)


def test_9_03_a_wrong_try_stays_counted_whatever_is_rolled_back(world, bob, engine):
    wrong(world, bob, 1)
    break_table(engine, "e2ereset_key_pairs")
    assert world.reset(bob, code=world.code(bob)).status_code == 503
    (budget,) = world.rows(Budget, purpose="verify:totp")
    assert (budget.count_1, budget.count_2, budget.count_3) == (2, 2, 2)


def test_9_04_sending_is_limited_and_its_answer_is_no_oracle(world, eve):
    world.reset(eve)
    for _ in range(10):
        world.clock.now += 31
        assert resend(world, "eve").data == resend(world, "nobody").data
    assert len(world.rows(Job, kind="code")) == 1 + 2  # her own, and what strangers get
    for _ in range(10):
        world.clock.now += 31
        resend(world, "eve", eve.headers)
    assert len(world.rows(Job, kind="code")) == 5 + 2


def test_9_05_of_many_at_once_with_one_totp_code_one_passes(world, admin):
    world.person("ann")
    answers = at_once(world, admin, 12, body={"user": "ann"}, code=world.code(admin))
    assert [a.status_code for a in answers].count(200) == 1
    assert len(answers) == 12


def test_9_06_a_totp_code_is_accepted_once(world, bob):
    code = world.code(bob)
    assert world.reset(bob, code=code).status_code == 200
    assert error(world.reset(again(world, bob), code=code)) == "totp-invalid"


@pytest.mark.parametrize("drift", [-30, 0, 30])
def test_9_07_a_code_is_spent_in_the_step_after_it_too(world, bob, drift):
    code = bob.totp.at(world.clock.now + drift)
    assert world.reset(bob, code=code).status_code == 200
    world.clock.now += 30
    assert error(world.reset(again(world, bob), code=code)) == "totp-invalid"


@pytest.mark.parametrize("window", ["5_MINUTES", "HOUR", "DAY"])
def test_9_08_limits_are_on_and_cannot_be_switched_off(window):
    assert all(0 < most <= 100 for _, most in load_settings(KEY).verify_windows)
    for value in (0, -1, 1000, None):
        with pytest.raises(SettingsError):
            load_settings(KEY | {f"E2ERESET_TRIES_PER_{window}": value})


def test_9_09_a_seed_has_160_bits(world):
    account = world.account(world.person("ann"))
    for enrol in (world.runtime.factors.begin_totp, world.runtime.factors.enrol_totp):
        assert len(base64.b32decode(enrol(account).secret)) == 20


def test_9_10_many_sign_ins_share_one_budget_and_the_owner_is_told(world, bob):
    seen = []
    for _ in range(4):
        seen += wrong(world, again(world, bob), 2)
    assert seen == ["totp-invalid"] * 5 + ["totp-max-attempts"] * 3
    assert len(world.queued("budget-exhausted")) == 1


def test_9_11_of_many_wrong_codes_at_once_the_budget_is_looked_at(world, bob):
    seen = [error(answer) for answer in at_once(world, bob, 20, code="000000")]
    assert sorted(seen) == ["totp-invalid"] * 5 + ["totp-max-attempts"] * 15


def test_9_12_a_factor_enrolled_meanwhile_does_not_satisfy_the_step_up(world, eve):
    assert error(world.reset(eve)) == "totp-required"
    factors, account = world.runtime.factors, world.account(eve)
    eve.totp = pyotp.TOTP(factors.begin_totp(account).secret)
    assert error(world.reset(eve, code=world.code(eve), method="totp")) == "totp-invalid"
    factors.confirm_totp(account, world.code(eve))
    assert error(world.reset(eve, code=world.code(eve), method="totp")) == "totp-invalid"


def test_9_13_what_was_allowed_at_the_challenge_is_checked_again_at_the_act(world, admin):
    bob = world.person("bob")
    world.reset(admin, {"userId": bob.id}, method="email")
    code = world.mailed_code()
    with world.runtime.transactions.begin() as session:
        world.runtime.permissions.revoke(session, "edit-other-user-e2ee", "admin")
    answer = world.reset(admin, {"userId": bob.id}, code=code, method="email")
    assert error(answer) == "error-not-allowed"
    assert world.has_key(bob)


def test_9_14_another_method_starts_the_proof_anew(world, admin):
    assert error(world.reset(admin, method="email")) == "totp-required"
    mailed = world.mailed_code()
    assert error(world.reset(admin, code=mailed, method="totp")) == "totp-invalid"
    assert error(world.reset(admin, code=world.code(admin), method="email")) == "totp-invalid"
    assert world.has_key(admin)


@pytest.mark.parametrize("method", ["totp", "email", "password"])
def test_9_15_every_method_is_under_the_same_limits(world, method):
    ann = world.person("ann", **{method: "pw" if method == "password" else True})
    assert wrong(world, ann, 6) == ["totp-invalid"] * 5 + ["totp-max-attempts"]


def test_9_16_protection_is_on_by_default_and_a_lock_ends_by_itself(world, bob):
    assert error(world.reset(bob)) == "totp-required"
    wrong(world, bob, 6)
    world.clock.now += 300
    assert world.reset(bob, code=world.code(bob)).status_code == 200


def test_9_17_name_address_and_id_count_on_one_budget(world):
    ann = world.person("ann", password="pw")
    for user in ("ann", "ANN", "ann@x.org", {"id": ann.id}, {"username": "ann"}):
        login(world, user, "no")
    assert login(world, "ann").status_code == 401
    assert login(world, "ann@x.org").status_code == 401


def test_9_18_budgets_need_no_rate_limiter_and_hold_for_all_workers(
    world, bob, make_server, config
):
    assert not world.runtime.limiter.enabled
    other = other_worker(world, make_server(config))
    seen = [error(w.reset(bob, code="000000")) for w in (world, other) * 3]
    assert seen == ["totp-invalid"] * 5 + ["totp-max-attempts"]


def test_9_19_no_route_forgets_who_asks(world, app):
    guarded = set(api_routes(app)) - OPEN
    assert len(guarded) >= 6
    for method, path in guarded:
        assert world.client.open(path, method=method, json={}).status_code == 401, path


def test_9_20_a_backup_code_is_looked_up_with_its_user(world, bob):
    ann = world.person("ann", totp=True)
    assert error(world.reset(ann, code=bob.backup_codes[0])) == "totp-invalid"
    assert world.reset(bob, code=bob.backup_codes[0]).status_code == 200


@pytest.mark.parametrize("method", ["totp", "email"])
def test_9_21_a_code_of_another_user_never_proves_the_caller(world, method):
    ann, mallory = (world.person(name, **{method: True}) for name in ("ann", "mallory"))
    for person in (ann, mallory):
        world.reset(person)
    code = world.mailed_code() if method == "email" else world.code(mallory)
    assert error(world.reset(ann, code=code)) == "totp-invalid"
    assert world.reset(mallory, code=code).status_code == 200


def test_9_22_another_users_identity_never_proves_the_caller(world):
    ann, mallory = (world.person(n, password=f"pw of {n}") for n in ("ann", "mallory"))
    assert error(world.reset(ann, code=sha256("pw of mallory"))) == "totp-invalid"
    mixed = {"X-User-Id": ann.id, "X-Auth-Token": mallory.headers["X-Auth-Token"]}
    assert world.reset(ann, headers=mixed, code=sha256("pw of ann")).status_code == 401


def test_9_23_no_answer_sends_the_client_elsewhere(world, app, bob):
    for _, path in [*api_routes(app), ("GET", "/"), ("GET", "//evil.example/")]:
        for url in (path, path + "/", f"{path}?next=//evil.example&redirect_uri=//evil.example"):
            for method in ("GET", "POST"):
                answer = world.client.open(url, method=method, headers=bob.headers)
                assert "Location" not in answer.headers
                assert not 300 <= answer.status_code < 400
                again(world, bob)


@pytest.mark.parametrize("route", ["login", "users.resetE2EKey", "users.2fa.sendEmailCode"])
def test_9_24_any_type_in_any_field_is_refused_and_no_fault(world, bob, route):
    fields = ("userId", "username", "user", "emailOrUsername", "password", "code", "resume")
    for value in (1, 1.5, True, [], {}, ["a"], {"a": 1}, [[]]):
        for field in fields:
            answer = world.client.post(API + route, json={field: value}, headers=bob.headers)
            assert answer.status_code in (400, 401)
        totp = {"totp": {"code": value, "login": value}}
        assert world.client.post(LOGIN, json=totp).status_code in (400, 401)


def test_9_25_a_totp_code_is_spent_for_every_surface(world):
    ann = world.person("ann", totp=True, password="pw")
    code = world.code(ann)
    assert login(world, "ann", code=code).status_code == 200
    assert login(world, "ann", code=code).status_code == 401
    assert error(world.reset(ann, code=code)) == "totp-invalid"
