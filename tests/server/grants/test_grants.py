"""Grants: what a machine's token may do without a proof, and what ends that."""

from dataclasses import replace

import pytest

from e2ereset.server.people.models import UserRole
from e2ereset.server.sessions.models import Token
from tests.kit.client import API, ME
from tests.kit.pages import browser_of
from tests.kit.server import NOW
from tests.kit.world import Person, break_table, error, mend_table

UNLOCK = API + "users.unlockFactor"
LIMITS = {"--action": "reset-e2e-key", "--role": "user", "--from": "127.0.0.0/8"}
LIMITS |= {"--per-day": "10", "--until": "2027-01-31"}
BOB = {"username": "bob"}
OTHER = {"username": "mal", "name": "m", "email": "m@x.org", "password": "correct horse"}


@pytest.fixture
def robot(world):
    """An administrator whom a machine signs in as, with TOTP."""
    return world.person("robot", totp=True, key=False, roles=["admin"])


@pytest.fixture
def granted(world, robot, done):
    """Gives the machine a grant of these limits; the person with that token."""
    world.person("bob", key=False)

    def grant(**changes):
        limits = LIMITS | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
        given = (word for pair in limits.items() for word in pair)
        made = done("grant", "add", "robot", "nightly", *given)
        headers = {"X-User-Id": made["userId"], "X-Auth-Token": made["authToken"]}
        return replace(robot, headers=headers)

    return grant


def used(done):
    return [row["usedToday"] for row in done("grant", "list")]


def test_a_grant_skips_the_proof_for_the_actions_that_it_names(world, granted, robot):
    machine = granted()
    assert world.reset(machine, BOB).json == {"success": True}
    other = world.client.post(UNLOCK, json=BOB, headers=machine.headers)
    assert error(other) == "totp-required"
    assert error(world.reset(robot, BOB)) == "totp-required"  # the sign-in of a person


def test_every_use_is_in_the_audit_log_with_the_name_of_the_grant(world, granted):
    machine = granted(per_day="1")
    world.reset(machine, BOB)
    world.reset(machine, BOB)
    rows = [row for row in world.outcomes() if row[0] == "reset-e2e-key"]
    of = ("reset-e2e-key", machine.id, "id-of-bob", "grant:nightly")
    assert rows == [(*of, "nothing-to-reset"), (*of, "error-grant-spent")]


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("users.create", OTHER | {"roles": ["admin"]}),
        ("roles.addUserToRole", {"roleId": "admin", "username": "bob"}),
        ("permissions.addRole", {"permissionId": "edit-other-user-e2ee", "role": "user"}),
        ("users.setActiveStatus", {"userId": "id-of-bob", "activeStatus": False}),
        ("users.logout", {"userId": "id-of-bob"}),
    ],
)
def test_what_asks_for_no_proof_is_not_for_a_grant(world, granted, route, body):
    answer = world.client.post(API + route, json=body, headers=granted().headers)
    assert (answer.status_code, error(answer)) == (400, "error-not-allowed")
    (outcome,) = [row[4] for row in world.outcomes() if row[1] == "id-of-robot"]
    assert outcome == "error-not-allowed"
    assert world.login("mal", OTHER["password"]).status_code == 401


@pytest.mark.parametrize(
    "settings", [{"E2ERESET_TWO_FACTOR": False}, {"E2ERESET_WITHOUT_METHOD": "allow"}, {}]
)
def test_where_people_need_no_proof_a_grant_keeps_its_limits(
    world, granted, with_settings, settings
):
    machine = granted(per_day="1")
    world.runtime.factors.disable_totp(world.account(machine))
    twin = with_settings(**settings)
    assert [twin.reset(machine, BOB).status_code for _ in range(2)] == [200, 400]
    data = {"userId": "id-of-bob", "data": {"roles": ["admin"]}}
    for route, body in (
        ("users.enableTotp", {}),
        ("users.2fa.enableEmail", {}),
        ("users.update", data),
        ("users.generatePersonalAccessToken", {"tokenName": "x", "bypassTwoFactor": True}),
    ):
        answer = twin.client.post(API + route, json=body, headers=machine.headers)
        assert error(answer) == "error-two-factor-not-available"
    browser = browser_of(twin, machine)
    for path, role in (("people/id-of-bob/roles", "bot"), ("permissions/create-p", "guest")):
        page = browser.post(f"/admin/{path}", data={"role": role, "act": "give"})
        assert page.status_code == 400
    assert [row.role for row in world.rows(UserRole, user_id="id-of-bob")] == ["user"]
    person = world.sign_in(machine.id)
    enabled = twin.client.post(API + "users.2fa.enableEmail", json={}, headers=person)
    assert enabled.status_code == 200, "people need none"


def test_an_11th_use_of_10_a_day_is_refused_until_the_next_day(world, granted):
    machine = granted()
    assert {world.reset(machine, BOB).status_code for _ in range(10)} == {200}
    answer = world.reset(machine, BOB)
    wait = 86400 - NOW % 86400
    assert error(answer) == "error-grant-spent"
    assert answer.json["details"] == {"retryAfter": wait}
    assert answer.headers["Retry-After"] == str(wait)
    world.clock.now += wait
    assert world.reset(machine, BOB).status_code == 200


def test_of_50_uses_at_once_exactly_10_pass(world, granted, done):
    answers = world.at_once(granted(), 50, body=BOB)
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [400] * 40
    assert used(done) == [10]


def test_machines_whose_clocks_have_midnight_between_them_share_one_day(world, granted):
    machine, midnight = granted(per_day="1"), NOW + 86400 - NOW % 86400
    statuses = []
    for second in (midnight - 1, midnight, midnight - 1, midnight):
        world.clock.now = second
        statuses.append(world.reset(machine, BOB).status_code)
    assert statuses == [200, 200, 400, 400]


@pytest.mark.parametrize("roles", [["admin"], ["user", "admin"], [], ["guest"]])
def test_a_target_with_any_other_role_is_off_limits(world, granted, done, roles):
    machine = granted()
    world.person("eve", key=False, roles=roles)
    assert error(world.reset(machine, {"username": "eve"})) == "error-not-allowed"
    assert error(world.reset(machine)) == "error-not-allowed"  # its own: an administrator's
    assert used(done) == [0]


def test_nobody_is_refused_like_somebody_of_another_role(world, granted):
    machine = granted()
    world.person("eve", key=False, roles=["admin"])
    answers = [world.reset(machine, {"userId": one}).json for one in ("nobody", "id-of-eve")]
    assert answers[0] == answers[1]


def test_the_permission_and_the_rank_are_needed_all_the_same(world, granted):
    machine = granted()
    world.permit("edit-other-user-e2ee", "admin", allowed=False)
    assert error(world.reset(machine, BOB)) == "error-not-allowed"


@pytest.mark.parametrize("address", ["192.0.2.1", "::1", "nothing"])
def test_from_another_address_nothing_is_skipped_and_nothing_used_up(world, granted, done, address):
    machine = granted(per_day="1")
    elsewhere = world.reset(machine, BOB, environ_base={"REMOTE_ADDR": address})
    assert error(elsewhere) == "error-grant-address"
    assert used(done) == [0]
    assert world.reset(machine, BOB).status_code == 200


def test_the_token_dies_after_its_last_day(world, granted, done):
    machine = granted(until="2027-01-16")
    world.clock.now = 1_800_144_000 - 1  # 2027-01-16T23:59:59Z
    assert world.reset(machine, BOB).status_code == 200
    world.clock.now += 1
    assert world.reset(machine, BOB).status_code == 401
    assert used(done) == []


def test_a_right_code_goes_where_the_grant_does_not(world, granted, done):
    machine = granted(per_day="1")
    assert [world.reset(machine, BOB).status_code for _ in "12"] == [200, 400]
    assert world.reset(machine, BOB, code=world.code(machine)).status_code == 200
    assert error(world.reset(machine, BOB, code="000000")) == "totp-invalid"
    assert used(done) == [1]


def test_a_use_that_fails_for_our_fault_is_given_back(world, granted, done):
    machine = granted()
    break_table(world.engine, "e2ereset_key_pairs")
    assert world.reset(machine, BOB).status_code == 503
    mend_table(world.engine, "e2ereset_key_pairs")
    assert used(done) == [0]


def test_grants_hold_where_tokens_that_bypass_everything_are_forbidden(
    world, granted, with_settings
):
    strict = with_settings(E2ERESET_BYPASS_TOKENS=False)
    assert strict.reset(granted(), BOB).status_code == 200


def test_a_grant_that_is_ended_through_one_worker_is_dead_in_the_next(
    world, granted, with_settings, done
):
    other, machine = with_settings(), granted()
    assert other.reset(machine, BOB).status_code == 200
    assert done("grant", "end", "robot", "nightly") == {"username": "robot", "ended": "nightly"}
    assert other.reset(machine, BOB).status_code == 401
    assert done("grant", "list") == []


def test_a_grant_ends_with_all_tokens_of_its_user(world, granted, robot, done):
    machine = granted()
    assert world.reset(robot, code=world.code(robot)).status_code == 200
    assert world.client.get(ME, headers=machine.headers).status_code == 401
    assert done("grant", "list") == []


def test_the_owner_sees_renews_and_ends_it_like_other_tokens(world, granted, robot, done):
    old = granted()
    owner = Person(robot.id, "robot", robot.headers, robot.totp)

    def ask(path):
        world.clock.now += 30
        headers = owner.headers | {"x-2fa-code": world.code(owner)}
        return world.client.post(API + path, json={"tokenName": "nightly"}, headers=headers)

    listed = world.client.get(API + "users.getPersonalAccessTokens", headers=owner.headers).json
    (row,) = listed["tokens"]
    assert (row["name"], row["bypassTwoFactor"]) == ("nightly", False)
    new = ask("users.regeneratePersonalAccessToken").json["token"]
    machine = replace(old, headers=old.headers | {"X-Auth-Token": new})
    assert world.reset(old, BOB).status_code == 401
    assert world.reset(machine, BOB).status_code == 200
    assert world.rows(Token, name="nightly")[0].expires_at is not None
    assert ask("users.removePersonalAccessToken").json == {"success": True}
    assert done("grant", "list") == []


def test_a_grant_makes_no_token(world, granted):
    body, headers = {"tokenName": "more", "bypassTwoFactor": True}, granted().headers
    answer = world.client.post(
        API + "users.generatePersonalAccessToken", json=body, headers=headers
    )
    assert error(answer) == "totp-required"
