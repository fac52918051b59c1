"""What counts on which budget, and what a refund takes back."""

import pyotp
import pytest

from e2ereset.errors import EnrolmentInvalid
from e2ereset.factors.models import Budget

WINDOWS = ((300, 5), (3600, 20), (86400, 50))


def counts(world, purpose):
    (row,) = world.rows(Budget, purpose=purpose)
    return row.count_1, row.count_2, row.count_3


def test_a_refund_leaves_a_window_that_was_opened_since(world):
    budgets, now = world.runtime.budgets, world.clock.now
    first = budgets.charge("bob", "verify:x", WINDOWS, now)
    budgets.charge("bob", "verify:x", WINDOWS, now + 300)
    with world.runtime.transactions.begin() as session:
        budgets.refund(session, first)
    assert counts(world, "verify:x") == (1, 1, 1)


def test_tries_to_confirm_count_with_all_totp_codes(world):
    dave = world.person("dave")
    factors, account = world.runtime.factors, world.account(dave)
    totp = pyotp.TOTP(factors.begin_totp(account).secret)
    for _ in range(3):
        with pytest.raises(EnrolmentInvalid):
            factors.confirm_totp(account, "000000")
    factors.confirm_totp(account, totp.at(world.clock.now))
    seen = [world.reset(dave, code="000000").json["errorType"] for _ in range(3)]
    assert seen == ["totp-invalid", "totp-invalid", "totp-max-attempts"]


@pytest.mark.parametrize("unlocks", [True, False])
def test_a_success_ends_the_row_of_failures(world, unlocks):
    budgets, now = world.runtime.budgets, world.clock.now
    for _ in range(3):
        charge = budgets.charge("bob", "verify:x", WINDOWS, now, guess=True)
    with world.runtime.transactions.begin() as session:
        budgets.refund(session, charge, unlocks=unlocks)
    assert world.rows(Budget)[0].failures == 0


def test_a_window_that_a_clock_opened_far_ahead_is_open_again(world):
    budgets, now = world.runtime.budgets, world.clock.now
    for _ in range(5):
        budgets.charge("bob", "verify:x", WINDOWS, now + 10_000)
    budgets.charge("bob", "verify:x", WINDOWS, now)
    assert counts(world, "verify:x") == (1, 1, 6)
