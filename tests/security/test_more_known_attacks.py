"""Section 9 of the security checklist, rows 26 to 50: attacks that worked elsewhere."""

import bcrypt
import pytest

from e2ereset import Caller, Proof, Strategy
from e2ereset.audit.models import AuditRow
from e2ereset.errors import FactorInvalid, TooManyAttempts
from e2ereset.factors.models import BackupCode, Budget, EmailChallenge, Totp
from e2ereset.jobs.models import Job
from e2ereset.server.people.models import User
from tests.kit.world import sha256
from tests.security.attacker import (
    API,
    ME,
    again,
    api_routes,
    at_once,
    break_table,
    error,
    login,
    other_worker,
    resend,
    statements,
    stored,
    wrong,
)


class Stubborn(Strategy):
    """A third party's: takes nothing, and falls over what it does not know."""

    name = "stubborn"

    def usable(self, attempt):
        return True

    def verify(self, attempt, code):
        if code == "bang":
            raise RuntimeError(code)
        return False


@pytest.fixture
def admin(world):
    return world.person("root", totp=True, roles=["admin"])


def test_9_26_the_budget_holds_without_any_http(world, bob):
    caller, proof = Caller(account=world.account(bob)), Proof(code="000000")
    for refusal in [FactorInvalid] * 5 + [TooManyAttempts]:
        with pytest.raises(refusal):
            world.runtime.resets.reset_key(caller, None, proof, world.clock.now)


def test_9_27_a_success_clears_nothing_but_its_own_charge(world, bob):
    wrong(world, bob, 4)
    assert world.reset(bob, code=world.code(bob)).status_code == 200
    assert wrong(world, again(world, bob), 2) == ["totp-invalid", "totp-max-attempts"]


def test_9_28_no_header_sets_the_address_by_default(world, bob):
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Client-IP"):
        world.reset(bob, headers={name: "192.0.2.1, for=192.0.2.1"})
    assert {row.address for row in world.rows(AuditRow)} == {"127.0.0.1"}


def test_9_29_unknown_and_wrong_sign_ins_do_the_same_work(world, monkeypatch):
    world.person("ann", password="pw")
    world.person("off", password="pw", active=False, key=False)
    hashes, check = [], bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *args: hashes.append(1) or check(*args))
    names = ("ann", "off", "nobody")
    work = [statements(world, lambda n=n: login(world, n, "no")) for n in names]
    assert work[0] == work[1] == work[2] != []
    assert len(hashes) == 3


def test_9_30_no_submitted_secret_is_stored(world, bob):
    ann = world.person("ann", password="a long password")
    secrets = [world.code(bob), sha256("a long password"), "a long password", bob.backup_codes[3]]
    world.reset(bob, code=secrets[0])
    world.reset(again(world, bob), code=secrets[3])
    world.reset(ann, code=secrets[1])
    login(world, "ann", "a long password")
    secrets += [bob.headers["X-Auth-Token"], bob.totp.secret, *bob.backup_codes]
    assert not [secret for secret in secrets if secret in stored(world)]


def test_9_31_of_many_at_once_with_one_backup_code_one_passes(world, admin):
    world.person("ann")
    answers = at_once(world, admin, 12, body={"user": "ann"}, code=admin.backup_codes[0])
    assert [a.status_code for a in answers].count(200) == 1
    assert len(world.rows(BackupCode, account_id=admin.id)) == 11


def test_9_32_a_mailed_code_is_burnt_with_the_act(world, eve):
    world.reset(eve)
    code = world.mailed_code()
    assert world.reset(eve, code=code).status_code == 200
    assert world.rows(EmailChallenge) == []
    assert error(world.reset(again(world, eve), code=code)) == "totp-invalid"


def test_9_33_the_first_tries_of_all_count_in_one_row(world, bob):
    assert world.rows(Budget, account_id=bob.id) == []
    at_once(world, bob, 10, code="000000")
    counts = [b.count_1 for b in world.rows(Budget, account_id=bob.id, purpose="verify:totp")]
    assert counts == [5]


def test_9_34_nothing_is_mailed_once_the_tries_are_spent(world, eve):
    wrong(world, eve, 5)
    for _ in range(3):
        world.clock.now += 31
        assert error(world.reset(eve)) == "totp-max-attempts"
        resend(world, "eve")
    assert world.rows(Job, kind="code") == []


def test_9_35_a_fresh_code_brings_no_fresh_tries(world, eve):
    world.reset(eve)
    wrong(world, eve, 4)
    world.clock.now += 31
    resend(world, "eve")
    assert len(world.rows(Job, kind="code")) == 2
    assert wrong(world, eve, 2) == ["totp-invalid", "totp-max-attempts"]


def test_9_36_there_is_one_live_code_for_an_action(world):
    root = world.person("root", email=True, roles=["admin"])
    codes = []
    for name in ("ann", "ben", "cyd"):
        world.person(name)
        world.reset(root, {"user": name})
        codes.append(world.mailed_code())
        world.clock.now += 31
    assert len(world.rows(EmailChallenge)) == 1
    assert error(world.reset(root, {"user": "ann"}, code=codes[0])) == "totp-invalid"
    assert world.reset(root, {"user": "cyd"}, code=codes[2]).status_code == 200


@pytest.mark.parametrize(("code", "status"), [("no", 400), ("bang", 503)])
def test_9_37_the_host_counts_around_any_strategy(world, bob, make_server, config, code, status):
    app = make_server(config | {"E2ERESET_METHODS": [Stubborn]})
    mine = other_worker(world, app)
    for _ in range(5):
        assert mine.reset(bob, code=code).status_code == status
    assert error(mine.reset(bob, code=code)) == "totp-max-attempts"


def test_9_38_windows_that_reopen_have_a_hard_cap(world, bob):
    seen = []
    for _ in range(6):
        seen += wrong(world, bob, 5)
        world.clock.now += 300
    assert seen.count("totp-invalid") == 20


def test_9_39_a_lock_kills_the_code_that_was_open(world, eve):
    world.reset(eve)
    code = world.mailed_code()
    wrong(world, eve, 5)
    world.clock.now += 301
    assert error(world.reset(eve, code=code)) == "totp-invalid"


def test_9_40_the_permission_alone_does_not_reach_superiors(world, admin):
    with world.runtime.transactions.begin() as session:
        world.runtime.permissions.grant(session, "edit-other-user-e2ee", "user")
    clerk = world.person("clerk", totp=True)
    assert error(world.reset(clerk, {"user": "root"}, code=world.code(clerk))) == (
        "error-not-allowed"
    )
    assert world.has_key(admin)


def test_9_41_whoever_names_themselves_takes_the_own_path(world):
    fed = world.person("fed", totp=True, kind="federated", roles=["admin"])
    assert error(world.reset(fed, {"user": "FED"}, code=world.code(fed))) == "error-not-allowed"
    bob = world.person("bob", totp=True)
    assert world.reset(bob, {"userId": bob.id}, code=world.code(bob)).status_code == 200
    assert world.queued("key-reset")[0][1]["own"] is True


def test_9_42_no_answer_holds_what_is_stored_to_check_against(world, app):
    ann = world.person("ann", totp=True, email=True, password="pw")
    said = login(world, "ann", code=world.code(ann)).get_data(as_text=True)
    for method, path in api_routes(app):
        answer = world.client.open(path, method=method, headers=ann.headers)
        said += answer.get_data(as_text=True)
        again(world, ann)
    kept = [world.rows(User)[0].password_hash, world.rows(Totp)[0].secret, ann.totp.secret]
    kept += [row.digest for row in world.rows(BackupCode)]
    assert not [secret for secret in kept if secret in said]
    assert "password_hash" not in said


def test_9_43_a_code_that_signed_in_does_not_sign_in_again(world):
    ann = world.person("ann", email=True, password="pw")
    login(world, "ann")
    code = world.mailed_code()
    assert login(world, "ann", code=code).status_code == 200
    assert login(world, "ann", code=code).status_code == 401
    assert world.client.get(ME, headers=ann.headers).status_code == 200


def test_9_44_codes_of_two_steps_in_turns_pass_once_each(world, bob):
    a, b = (bob.totp.at(world.clock.now + drift) for drift in (-30, 0))
    seen = [world.reset(again(world, bob), code=c).status_code for c in (a, b, a, b)]
    assert seen == [200, 200, 400, 400]


def test_9_45_a_store_that_cannot_count_refuses(world, bob, engine):
    break_table(engine, "e2ereset_budgets")
    assert world.reset(bob, code=world.code(bob)).status_code == 503
    assert world.has_key(bob)


def test_9_46_a_get_changes_nothing(world, app, bob):
    before = stored(world)
    for method, path in api_routes(app):
        if method == "POST" and path != API + "logout":
            headers = bob.headers | {"x-2fa-code": world.code(bob)}
            assert world.client.get(path, headers=headers).status_code == 405
    assert stored(world) == before


def test_9_47_a_body_changed_after_the_challenge_voids_the_code_and_is_logged(world):
    root = world.person("root", email=True, roles=["admin"])
    people = [world.person(name) for name in ("ann", "ben")]
    world.reset(root, {"user": "ann"})
    answer = world.reset(root, {"user": "ben"}, code=world.mailed_code())
    assert error(answer) == "totp-invalid"
    assert world.outcomes()[-1][2:] == (people[1].id, "email", "totp-invalid")
    assert all(map(world.has_key, people))


def test_9_48_a_reset_takes_what_its_notice_says_and_nothing_else(world, admin):
    bob = world.person("bob", totp=True, password="pw")
    world.room("secret", bob, admin)
    world.reset(admin, {"user": "bob"}, code=world.code(admin))
    assert (world.has_key(bob), world.tokens(bob), world.waiting(bob)) == (False, 0, {"secret"})
    assert (world.has_key(admin), world.tokens(admin)) == (True, 1)
    assert world.rows(User, id=bob.id)[0].password_hash
    assert len(world.rows(BackupCode, account_id=bob.id)) == 12


def test_9_49_of_many_own_resets_at_once_one_is_done(world, bob):
    answers = at_once(world, bob, 20, code=world.code(bob))
    assert [a.status_code for a in answers].count(200) == 1
    assert [row[-1] for row in world.outcomes()].count("reset") == 1
    assert len(world.queued("key-reset")) == 1
    assert world.reset(bob).status_code == 401


def test_9_50_a_code_of_later_is_answered_like_any_wrong_one(world, bob):
    later = world.reset(bob, code=bob.totp.at(world.clock.now + 60))
    assert later.data == world.reset(bob, code="000000").data
    assert error(later) == "totp-invalid"
