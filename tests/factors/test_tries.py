"""How many tries the owner and others have, and who is told of it (SPEC 2, Budgets)."""

import pytest
from sqlalchemy import event

from tests.kit.rows import row
from tests.kit.world import break_table, error


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
    whole = [at for at, count in passed.items() if count == 5]
    assert whole == [0, 300, 600, 900, 3600, 3900, 4200, 4500, 7200, 7500]
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


def test_the_try_is_counted_before_the_code_is_read(world, bob):
    seen = []
    event.listen(world.engine, "commit", lambda _: seen.append("COMMIT"))
    event.listen(world.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
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
