"""A hundred failures in a row lock a method until it is unlocked, over whatever time (SPEC 2)."""

import getpass
import json
from contextlib import suppress
from threading import Barrier, Thread

import pytest
from sqlalchemy import update

from e2ereset.audit.models import AuditRow
from e2ereset.errors import TooManyAttempts
from e2ereset.factors.models import Budget
from e2ereset.store.tables import table
from tests.kit.rows import row
from tests.kit.world import error, sha256

BUDGETS = table(Budget)


def fail(world, person, times=1, **options):
    """Wrong tries, each in new windows; the answers."""
    answers = []
    for _ in range(times):
        world.clock.now += 86400
        world.again(person)
        answers.append(world.reset(person, code="000000", **options))
    return answers


def almost(world, person, method="totp"):
    """Ninety-nine failures in a row."""
    fail(world, person, method=method)
    with world.runtime.transactions.begin() as session:
        rows = update(BUDGETS).where(BUDGETS.c.purpose == f"verify:{method}")
        session.execute(rows.values(failures=99))


def lock(world, person, method="totp"):
    almost(world, person, method)
    fail(world, person, method=method)
    world.clock.now += 86400
    world.again(person)


@pytest.fixture
def both(world):
    return world.person("both", totp=True, email=True)


@row("11.N1")
def test_a_hundred_failures_in_a_row_lock_over_whatever_time(world, bob):
    assert {error(answer) for answer in fail(world, bob, 100)} == {"totp-invalid"}
    (answer,) = fail(world, bob)
    assert error(answer) == "totp-max-attempts"
    assert answer.json["details"]["locked"] is True
    assert "retryAfter" not in answer.json["details"]
    assert "Retry-After" not in answer.headers


def test_a_locked_method_takes_no_right_code(world, bob):
    lock(world, bob)
    assert error(world.reset(bob, code=world.code(bob))) == "totp-max-attempts"
    assert error(world.reset(bob)) == "totp-max-attempts"
    assert world.has_key(bob)


def test_a_right_code_ends_the_row_of_failures(world, bob):
    almost(world, bob)
    world.clock.now += 86400
    world.again(bob)
    assert world.reset(bob, code=world.code(bob)).status_code == 200
    assert [row.failures for row in world.rows(Budget, purpose="verify:totp")] == [0]


def test_a_purge_keeps_failures_in_a_row(world, bob):
    almost(world, bob)
    world.clock.now += 400 * 86400
    world.app.test_cli_runner().invoke(args=["purge"])
    fail(world, bob)
    assert [error(answer) for answer in fail(world, bob)] == ["totp-max-attempts"]


def test_the_owner_is_told_and_the_log_knows(world, bob):
    lock(world, bob)
    assert [f["method"] for _, f in world.queued("factor-locked")] == ["totp"]
    locked = ("lock-factor", bob.id, bob.id, "totp", "locked")
    assert world.outcomes().count(locked) == 1


def test_the_server_picks_another_method_while_the_first_is_locked(world, both):
    lock(world, both)
    details = world.reset(both).json["details"]
    assert (details["method"], details["availableMethods"]) == ("email", ["email"])
    assert world.reset(both, code=world.mailed_code()).status_code == 200


def test_a_locked_method_that_is_asked_for_by_name_says_so(world, both):
    lock(world, both)
    details = world.reset(both, method="totp").json["details"]
    assert details == {
        "locked": True,
        "method": "totp",
        "codeGenerated": False,
        "availableMethods": ["email"],
    }


def test_passing_with_another_method_unlocks(world, both):
    lock(world, both)
    world.reset(both, method="email")
    assert world.reset(both, code=world.mailed_code(), method="email").status_code == 200
    world.again(both)
    assert world.reset(both, code=world.code(both), method="totp").status_code == 200


def test_a_lock_brings_no_fallback_to_the_password(world):
    person = world.person("carol", totp=True, password="pw")
    lock(world, person)
    assert error(world.reset(person)) == "totp-max-attempts"
    right = world.reset(person, method="password", code=sha256("pw"))
    assert (error(right), right.json["details"]["method"]) == ("totp-invalid", "totp")


def test_a_right_password_at_a_sign_in_unlocks_nothing(world):
    person = world.person("carol", totp=True, password="pw")
    lock(world, person)
    body = {"user": "carol", "password": "pw"}
    answer = world.client.post("/api/v1/login", json=body)
    assert (answer.status_code, answer.json["error"]) == (401, "totp-max-attempts")
    assert answer.json["details"]["locked"] is True


def test_one_account_locks_no_other(world, bob):
    lock(world, bob)
    dave = world.person("dave", totp=True)
    assert world.reset(dave, code=world.code(dave)).status_code == 200


def test_what_is_unlocked_takes_a_right_code_at_once(world, bob):
    lock(world, bob)
    account, factors = world.account(bob), world.runtime.factors
    assert factors.status(bob.id).locked == ("verify:totp",)
    assert factors.unlock(account, by="operator:root") == ("verify:totp",)
    assert factors.status(bob.id).locked == ()
    assert world.reset(bob, code=world.code(bob)).status_code == 200
    assert ("unlock-factor", "operator:root", bob.id, "", "unlocked") in world.outcomes()
    assert "unlocked" in world.queued("factor-changed")[-1][1]["change"]


def test_unlocking_what_is_open_tells_nobody(world, bob):
    told = len(world.queued("factor-changed"))
    assert world.runtime.factors.unlock(world.account(bob), by="operator:root") == ()
    assert len(world.queued("factor-changed")) == told
    assert world.outcomes()[-1][-1] == "nothing-to-unlock"


def test_of_many_guesses_at_once_a_hundred_are_looked_at(world):
    budgets, passed = world.runtime.budgets, []
    together = Barrier(8)

    def guess():
        together.wait()
        for _ in range(20):
            with suppress(TooManyAttempts):
                charge = budgets.charge("bob", "verify:x", ((1, 999),) * 3, 1, guess=True)
                passed.append(charge.locks)

    threads = [Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(passed), passed.count(True)) == (100, 1)


# By somebody else

UNLOCK = "/api/v1/users.unlockFactor"


def unlock(world, person, body, code=None):
    headers = person.headers | ({"x-2fa-code": code} if code else {})
    return world.client.post(UNLOCK, json=body, headers=headers)


@pytest.fixture
def locked(world, bob):
    lock(world, bob)
    return bob


@pytest.mark.parametrize("body", [{"username": "BOB"}, {"userId": "id-of-bob"}, {"user": "bob"}])
def test_who_has_the_permission_unlocks_behind_a_second_factor(world, locked, admin, body):
    world.again(admin)
    assert error(unlock(world, admin, body)) == "totp-required"
    answer = unlock(world, admin, body, world.code(admin))
    assert (answer.status_code, answer.data) == (
        200,
        b'{"unlocked":["verify:totp"],"success":true}',
    )
    assert world.outcomes()[-1] == ("unlock-factor", admin.id, locked.id, "totp", "unlocked")
    assert world.reset(locked, code=world.code(locked)).status_code == 200


def test_a_code_mailed_for_an_unlocking_names_it_and_is_good_for_it_only(world, locked):
    root = world.person("root", email=True, roles=["admin"])
    unlock(world, root, {"username": "bob"})
    facts = world.queued("code")[-1][1]
    assert facts["phrase"] == "unlock the second factors of bob"
    assert error(world.reset(root, {"username": "bob"}, code=facts["code"])) == "totp-invalid"
    assert unlock(world, root, {"username": "bob"}, facts["code"]).status_code == 200


@pytest.mark.parametrize("name", ["bob", "nobody"])
def test_without_the_permission_nobody_learns_who_exists(world, bob, name):
    dave = world.person("dave", totp=True)
    answer = unlock(world, dave, {"username": name}, world.code(dave))
    assert error(answer) == "error-not-allowed"


def test_the_permission_can_be_taken_away(world, locked, admin):
    world.permit("unlock-other-user-factor", "admin", allowed=False)
    world.again(admin)
    answer = unlock(world, admin, {"username": "bob"}, world.code(admin))
    assert error(answer) == "error-not-allowed"
    assert world.runtime.factors.status(locked.id).locked


def test_an_unknown_name_is_told_to_who_has_the_permission(world, admin):
    answer = unlock(world, admin, {"username": "nobody"}, world.code(admin))
    assert error(answer) == "error-invalid-user"


def test_nobody_unlocks_whom_they_may_not_reset(world, admin):
    helper = world.person("helper", totp=True)
    world.permit("unlock-other-user-factor", "user")
    answer = unlock(world, helper, {"username": "root"}, world.code(helper))
    assert error(answer) == "error-not-allowed"


@pytest.mark.parametrize("body", [{}, {"username": ""}, {"userId": None}])
def test_a_target_is_named_or_nothing_is_done(world, admin, body):
    answer = unlock(world, admin, body, world.code(admin))
    assert error(answer) == "error-user-param-not-provided"


def test_ones_own_are_unlocked_by_another_factor_and_not_by_a_password(world, both):
    lock(world, both)
    error(unlock(world, both, {"username": "both"}))
    answer = unlock(world, both, {"username": "both"}, world.mailed_code())
    assert answer.status_code == 200
    assert world.runtime.factors.status(both.id).locked == ()


def test_ones_own_sign_in_is_not_unlocked_by_its_password(world):
    carol = world.person("carol", password="pw")
    with world.runtime.transactions.begin() as session:
        for _ in range(100):
            world.runtime.budgets.charge_in(
                session, carol.id, "login:password", windows=((1, 999),) * 3, now=1, guess=True
            )
    answer = unlock(world, carol, {"username": "carol"}, sha256("pw"))
    assert error(answer) == "error-not-allowed"
    assert world.runtime.factors.status(carol.id).locked == ("login:password",)


def test_nobody_unlocks_without_a_sign_in(world, bob):
    assert world.client.post(UNLOCK, json={"username": "bob"}).status_code == 401


# By an operator


def cli(world, *args):
    result = world.app.test_cli_runner().invoke(args=[*args, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_an_operator_sees_and_unlocks(world, locked):
    assert cli(world, "user", "show", "bob")["locked"] == ["verify:totp"]
    unlocked = cli(world, "user", "unlock", "BOB", "--reason", "ticket 7")
    assert unlocked == {"username": "bob", "unlocked": ["verify:totp"]}
    assert cli(world, "user", "list")[0]["locked"] == []
    assert world.reset(locked, code=world.code(locked)).status_code == 200
    (row,) = world.rows(AuditRow, action="unlock-factor")
    assert (row.caller, row.reason) == (f"operator:{getpass.getuser()}", "ticket 7")
    assert "unlocked" in world.queued("factor-changed")[-1][1]["change"]


def test_an_operator_opens_what_is_only_spent_too(world, bob):
    for _ in range(5):
        world.reset(bob, code="000000")
    assert cli(world, "user", "unlock", "bob")["unlocked"] == []
    assert world.reset(bob, code=world.code(bob)).status_code == 200


@pytest.mark.parametrize("name", ["carol", "carol@x.org"])
def test_an_operator_opens_spent_names_at_the_sign_in(world, name):
    world.person("carol", password="pw")
    body = {"user": name, "password": "pw"}
    for _ in range(5):
        world.client.post("/api/v1/login", json=body | {"password": "no"})
    assert world.client.post("/api/v1/login", json=body).status_code == 401
    cli(world, "user", "unlock", "carol")
    assert world.client.post("/api/v1/login", json=body).status_code == 200
