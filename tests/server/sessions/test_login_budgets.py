"""How often one may sign in: by name, by account, by address, and what strangers can spend."""

import pytest
from sqlalchemy import event

from e2ereset.factors.models import Budget
from e2ereset.server.sessions.login_budgets import PASSWORD_TRIES
from e2ereset.server.sessions.models import KnownAddress
from e2ereset.server.sessions.service import current_sessions
from tests.kit.rows import row
from tests.kit.server import NOW
from tests.kit.sign_ins import UNAUTHORIZED, refusal

pytestmark = pytest.mark.long

BLOCKED = refusal("error-login-blocked-for-user", "Login has been temporarily blocked For User")
ELSEWHERE = "203.0.113.9"
STRANGERS = [f"eve{each}" for each in range(21)]  # names that nobody has


def fail(world, *names, address="127.0.0.1"):
    """Sign in with a wrong password by each of these names; the bodies of the answers."""
    return [world.login(name, "no", address=address).json for name in names]


def test_wrong_codes_run_into_their_budget(world, totp):
    answers = [world.login(code="000000").json for _ in range(6)]
    assert [said["error"] for said in answers] == ["totp-invalid"] * 5 + ["totp-max-attempts"]
    assert answers[-1]["details"]["retryAfter"] == 300


@pytest.mark.parametrize("name", ["bob", "eve", "bob@x.org", "eve@x.org"])
def test_a_spent_budget_is_said_for_known_and_unknown_names_alike(world, bob, name):
    assert fail(world, *[name] * 6) == [UNAUTHORIZED] * 5 + [BLOCKED]
    answer = world.login(name, "no")
    assert (answer.status_code, answer.json, answer.headers["Retry-After"]) == (401, BLOCKED, "300")


def test_right_passwords_spend_no_budget(world, bob):
    assert {world.login().status_code for _ in range(9)} == {200}


def test_right_passwords_without_a_code_spend_no_budget(world, totp):
    assert {world.login().json["error"] for _ in range(9)} == {"totp-required"}


@row("9.17")
@pytest.mark.parametrize("names", [("bob",) * 5, ("bob", "BOB", "bob@x.org", "bob", "Bob@X.org")])
def test_names_of_one_user_share_one_budget(world, bob, clock, names):
    fail(world, *names)
    assert world.login().status_code == 401
    clock.now += 300
    assert world.login().status_code == 200


@pytest.mark.parametrize("who", ["bob", "eve"])
def test_the_answers_do_not_tell_which_names_are_of_one_user(world, bob, who):
    answers = fail(world, *[who, f"{who}@x.org", {"id": f"id-of-{who}"}] * 6)
    assert answers == [UNAUTHORIZED] * 15 + [BLOCKED] * 3


def test_spellings_of_an_unknown_name_share_one_budget(world):
    spellings = ("\u00c9ve", "E\u0301ve", "\u00e9VE", "e\u0301ve", "\u00c9VE", "\u00e9ve")
    assert fail(world, *spellings)[-1] == BLOCKED


def test_no_name_that_was_typed_is_stored(world):
    fail(world, "my secret password")
    assert not [budget for budget in world.rows(Budget) if "secret" in budget.account_id]


def test_too_many_failures_from_one_address_are_refused(world, bob):
    fail(world, *STRANGERS[:20])
    answer = world.login()
    said = refusal("error-login-blocked-for-ip", "Login has been temporarily blocked For IP")
    assert (answer.status_code, answer.json) == (401, said)
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert world.login(address=ELSEWHERE).status_code == 200


def test_an_ipv6_network_is_one_address(world):
    for number, name in enumerate(STRANGERS[:20], 1):
        fail(world, name, address=f"2001:db8::{number:x}")
    (near,) = fail(world, "bob", address="2001:db8::ffff")
    assert near["error"] == "error-login-blocked-for-ip"
    assert fail(world, "bob", address="2001:db8:0:1::1") == [UNAUTHORIZED]


def test_a_success_takes_back_its_own_charge_of_the_address_only(world, bob):
    fail(world, *STRANGERS[:7])
    world.login()
    (failures,) = world.rows(Budget, purpose="login:address")
    assert failures.count_1 == 7


@pytest.mark.parametrize("known", [True, False])
def test_wrong_second_factors_are_failures_of_where_the_owner_has_not_been(world, totp, known):
    codes = ["000000", "000001", totp.at(NOW)]
    for code in reversed(codes) if known else codes:
        world.login(code=code)
    (failures,) = world.rows(Budget, purpose="login:address")
    assert failures.count_1 == (0 if known else 2)


def test_what_is_refused_for_its_name_takes_nothing_of_the_address(world, bob):
    fail(world, *["eve"] * 30)
    assert world.login().status_code == 200


@row("13.auth.4")
def test_strangers_do_not_keep_the_owner_out_of_where_they_have_been(world, bob):
    world.login()
    fail(world, *["bob"] * 7, address=ELSEWHERE)
    assert world.login(address=ELSEWHERE).json == BLOCKED
    assert world.login().status_code == 200


def test_where_somebody_else_has_been_is_no_home_of_the_owner(world, bob):
    world.person("amy", password="pw")
    world.login("amy", address=ELSEWHERE)
    fail(world, *["bob"] * 5)
    assert world.login(address=ELSEWHERE).json == BLOCKED


def test_failures_at_other_names_do_not_keep_the_owner_out_of_where_they_have_been(world, bob):
    world.login()
    fail(world, *STRANGERS)
    assert world.login().status_code == 200


def test_an_address_is_the_owners_for_thirty_days(world, bob, clock):
    world.login()
    clock.now += 30 * 86400
    fail(world, *["bob"] * 5, address=ELSEWHERE)
    assert world.login().status_code == 401


def test_where_the_owner_has_been_tries_run_out_too(world, bob):
    world.login()
    assert fail(world, *["bob"] * 6) == [UNAUTHORIZED] * 5 + [BLOCKED]
    assert world.login(address=ELSEWHERE).status_code == 200


def test_an_address_is_known_by_a_whole_sign_in_only(world, totp):
    world.login()
    world.login(code="000000")
    assert [known.network for known in world.rows(KnownAddress)] == []
    world.login(code=totp.at(NOW))
    assert [known.network for known in world.rows(KnownAddress)] == ["127.0.0.1"]


def test_a_hundred_wrong_passwords_in_a_row_lock_out_strangers_and_not_the_owner(world, bob):
    world.login()
    world.fail(bob, 99, PASSWORD_TRIES)
    fail(world, "bob", address=ELSEWHERE)
    assert world.login(address=ELSEWHERE).json == UNAUTHORIZED
    assert world.login().status_code == 200
    assert [to for to, _ in world.queued("factor-locked")] == ["bob@x.org"]
    factors = world.runtime.factors
    assert factors.status(bob.id).locked == (PASSWORD_TRIES,)
    factors.unlock(world.account(bob), by="operator:root")
    assert world.login(address=ELSEWHERE).status_code == 200


@row("9.29")
@pytest.mark.parametrize("spent", ["name", "account", "address", "own"])
def test_a_refused_sign_in_costs_a_hash_like_any_other(world, bob, monkeypatch, spent):
    if spent == "own":
        world.login()
    names = {"address": STRANGERS[:20], "account": ["bob@x.org", "bob"] * 3}
    fail(world, *names.get(spent, ["bob"] * 5))
    hashed = []
    hasher = current_sessions(world.app).hasher
    monkeypatch.setattr(hasher, "_timed", lambda *_: hashed.append(1))
    assert world.login(password="no").status_code == 401
    assert hashed == [1]


LAST = ["SELECT", "SELECT", *["INSERT"] * 3, "SELECT", "INSERT", "INSERT"]
REFUSED = ["SELECT", "SELECT", "INSERT", "INSERT", "SELECT"]


def statements(world):
    """The first words of the statements from now on."""
    seen = []
    event.listen(world.engine, "before_cursor_execute", lambda *it: seen.append(it[2].split()[0]))
    return seen


@row("9.29")
@pytest.mark.parametrize("name", ["eve", "bob"])
@pytest.mark.parametrize("before", [0, 4])
def test_known_and_unknown_names_run_the_same_statements(world, bob, name, before):
    fail(world, "somebody", *[name] * before)  # it connects first
    seen = statements(world)
    fail(world, name, name)
    assert seen == LAST + (REFUSED if before else LAST)


@pytest.mark.parametrize("name", ["eve", "bob"])
def test_an_account_that_is_spent_by_its_other_names_runs_the_same_statements(world, bob, name):
    fail(world, *[{"id": bob.id}] * 4 if name == "bob" else STRANGERS[:4])
    seen = statements(world)
    fail(world, name)
    assert seen == LAST


def test_the_rate_of_sign_ins_is_limited(world, make_server, config):
    limited = world.through(make_server({**config, "RATELIMIT_ENABLED": True}))
    answers = [limited.login().status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
