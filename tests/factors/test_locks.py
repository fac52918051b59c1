"""A hundred failures in a row lock a method until it is unlocked, over whatever time (SPEC 2)."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from e2ereset.audit.models import AuditRow
from e2ereset.errors import TooManyAttempts
from tests.kit.commands import OPERATOR
from tests.kit.rows import row
from tests.kit.world import error, sha256

pytestmark = pytest.mark.long

UNLOCK = "/api/v1/users.unlockFactor"


def fail_daily(world, person, times=1):
    """Wrong tries, one a day; the answers."""
    answers = []
    for _ in range(times):
        world.clock.now += 86400
        answers.append(world.reset(world.again(person), code="000000"))
    return answers


def unlock(world, person, body, code=None):
    headers = person.headers | ({"x-2fa-code": code} if code else {})
    return world.client.post(UNLOCK, json=body, headers=headers)


@pytest.fixture
def locked(world, bob):
    """Somebody whose TOTP is locked."""
    world.fail(bob)
    return bob


@pytest.fixture
def both(world):
    """Somebody whose TOTP is locked, with mailed codes beside it."""
    both = world.person("both", totp=True, email=True)
    world.fail(both)
    return both


@pytest.fixture
def carol(world):
    """Somebody whose TOTP is locked, with a password."""
    carol = world.person("carol", totp=True, password="pw")
    world.fail(carol)
    return carol


@row("11.N1")
def test_a_hundred_failures_in_a_row_lock_over_whatever_time(world, bob):
    assert {error(answer) for answer in fail_daily(world, bob, 100)} == {"totp-invalid"}
    assert [facts["method"] for _, facts in world.queued("factor-locked")] == ["totp"]
    assert world.outcomes().count(("lock-factor", bob.id, bob.id, "totp", "locked")) == 1
    (answer,) = fail_daily(world, bob)
    assert error(answer) == "totp-max-attempts"
    assert answer.json["details"]["locked"] is True
    assert "retryAfter" not in answer.json["details"]
    assert "Retry-After" not in answer.headers


def test_a_locked_method_takes_no_right_code(world, locked):
    assert error(world.reset(locked, code=world.code(locked))) == "totp-max-attempts"
    assert error(world.reset(locked)) == "totp-max-attempts"
    assert world.has_key(locked)


def test_a_purge_keeps_failures_in_a_row(world, bob, run):
    world.fail(bob, 99)
    world.clock.now += 400 * 86400
    run("purge")
    assert list(map(error, fail_daily(world, bob, 2))) == ["totp-invalid", "totp-max-attempts"]


def test_a_locked_method_gives_way_to_another_whose_right_code_unlocks_it(world, both):
    details = world.reset(both).json["details"]
    assert (details["method"], details["availableMethods"]) == ("email", ["email"])
    assert world.reset(both, code=world.mailed_code()).status_code == 200
    world.again(both)
    assert world.reset(both, code=world.code(both), method="totp").status_code == 200


def test_a_locked_method_that_is_asked_for_by_name_says_so(world, both):
    assert world.reset(both, method="totp").json["details"] == {
        "locked": True,
        "method": "totp",
        "codeGenerated": False,
        "availableMethods": ["email"],
    }


@row("13.2.2")
def test_a_lock_brings_no_fallback_to_the_password(world, carol):
    assert error(world.reset(carol)) == "totp-max-attempts"
    right = world.reset(carol, method="password", code=sha256("pw"))
    assert (error(right), right.json["details"]["method"]) == ("totp-invalid", "totp")


def test_a_right_password_at_a_sign_in_unlocks_nothing(world, carol):
    answer = world.login("carol")
    assert (answer.status_code, error(answer)) == (401, "totp-max-attempts")
    assert answer.json["details"]["locked"] is True


def test_unlocking_what_is_open_tells_nobody(world, bob):
    told = world.told()
    assert world.runtime.factors.unlock(world.account(bob), by="operator:root") == ()
    assert world.told() == told
    assert world.outcomes()[-1][-1] == "nothing-to-unlock"


def test_of_many_guesses_at_once_a_hundred_are_looked_at(world):
    def guess(_number):
        with suppress(TooManyAttempts):
            return world.runtime.budgets.charge("bob", "x", ((1, 999),) * 3, 1, guess=True).locks

    with ThreadPoolExecutor(8) as pool:
        locks = list(pool.map(guess, range(160)))
    assert [locks.count(answer) for answer in (False, True, None)] == [99, 1, 60]


# By somebody else


@pytest.mark.parametrize("body", [{"username": "BOB"}, {"userId": "id-of-bob"}, {"user": "bob"}])
def test_who_has_the_permission_unlocks_behind_a_second_factor(world, locked, admin, body):
    assert error(unlock(world, admin, body)) == "totp-required"
    answer = unlock(world, admin, body, world.code(admin))
    assert answer.status_code == 200
    assert answer.data == b'{"unlocked":["verify:totp"],"success":true}'
    assert world.outcomes()[-1] == ("unlock-factor", admin.id, locked.id, "totp", "unlocked")
    assert world.reset(locked, code=world.code(locked)).status_code == 200


def test_a_code_mailed_for_an_unlocking_names_it_and_is_good_for_it_only(world, locked):
    root = world.person("root", email=True, roles=["admin"])
    unlock(world, root, {"username": "bob"})
    facts = world.queued("code")[-1][1]
    assert facts["phrase"] == "unlock the second factors of bob"
    assert error(world.reset(root, {"username": "bob"}, code=facts["code"])) == "totp-invalid"
    assert unlock(world, root, {"username": "bob"}, facts["code"]).status_code == 200


@pytest.mark.parametrize("name", ["eve", "nobody"])
def test_without_the_permission_nobody_learns_who_exists(world, bob, eve, name):
    assert error(unlock(world, bob, {"username": name}, world.code(bob))) == "error-not-allowed"


def test_the_permission_can_be_taken_away(world, locked, admin):
    world.permit("unlock-other-user-factor", "admin", allowed=False)
    answer = unlock(world, admin, {"username": "bob"}, world.code(admin))
    assert error(answer) == "error-not-allowed"
    assert world.runtime.factors.status(locked.id).locked


def test_who_was_given_the_permission_unlocks_only_whom_they_may_reset(world, bob, eve, admin):
    world.permit("unlock-other-user-factor", "user")
    assert unlock(world, bob, {"username": "eve"}, world.code(bob)).status_code == 200
    world.clock.now += 30
    assert error(unlock(world, bob, {"username": "root"}, world.code(bob))) == "error-not-allowed"


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, "error-user-param-not-provided"),
        ({"username": ""}, "error-user-param-not-provided"),
        ({"userId": None}, "error-user-param-not-provided"),
        ({"username": "nobody"}, "error-invalid-user"),
    ],
)
def test_a_target_that_is_not_named_or_unknown_is_told_to_who_may(world, admin, body, refusal):
    assert error(unlock(world, admin, body, world.code(admin))) == refusal


def test_ones_own_are_unlocked_by_another_factor_and_not_by_a_password(world, both):
    unlock(world, both, {"username": "both"})
    answer = unlock(world, both, {"username": "both"}, world.mailed_code())
    assert answer.status_code == 200
    assert world.runtime.factors.status(both.id).locked == ()


def test_ones_own_sign_in_is_not_unlocked_by_its_password(world):
    carol = world.person("carol", password="pw")
    world.fail(carol, purpose="login:password")
    answer = unlock(world, carol, {"username": "carol"}, sha256("pw"))
    assert error(answer) == "error-not-allowed"
    assert world.runtime.factors.status(carol.id).locked == ("login:password",)


# By an operator


def test_an_operator_sees_and_unlocks(world, locked, done):
    assert done("user", "show", "bob")["locked"] == ["verify:totp"]
    unlocked = done("user", "unlock", "BOB", "--reason", "ticket 7")
    assert unlocked == {"username": "bob", "unlocked": ["verify:totp"]}
    assert done("user", "list")[0]["locked"] == []
    assert world.reset(locked, code=world.code(locked)).status_code == 200
    (row,) = world.rows(AuditRow, action="unlock-factor")
    assert (row.caller, row.reason) == (OPERATOR, "ticket 7")
    assert "unlocked" in world.told()[-1]


def test_an_operator_opens_what_is_only_spent_too(world, bob, done):
    world.wrong(bob, 5)
    assert done("user", "unlock", "bob")["unlocked"] == []
    assert world.reset(bob, code=world.code(bob)).status_code == 200


@pytest.mark.parametrize("name", ["carol", "carol@x.org"])
def test_an_operator_opens_spent_names_at_the_sign_in(world, done, name):
    world.person("carol", password="pw")
    for _ in range(5):
        world.login(name, "no")
    assert world.login(name).status_code == 401
    done("user", "unlock", "carol")
    assert world.login(name).status_code == 200
