"""The three windows of a budget: what counts, what they refuse, and what a refund takes back."""

import pyotp
import pytest

from e2ereset.errors import EnrolmentInvalid, TooManyAttempts
from e2ereset.factors.models import Budget
from tests.kit.rows import row

WINDOWS = ((300, 5), (3600, 20), (86400, 50))


@pytest.fixture
def charge(world):
    """Charges a budget of bob's so many seconds from now."""

    def charge(after=0, windows=WINDOWS, **options):
        now = world.clock.now + after
        return world.runtime.budgets.charge("bob", "verify:x", windows, now, **options)

    return charge


@pytest.fixture
def refund(world):
    """Takes a charge back."""

    def refund(charge, **options):
        with world.runtime.transactions.begin() as session:
            world.runtime.budgets.refund(session, charge, **options)

    return refund


def counts(world):
    (row,) = world.rows(Budget)
    return row.count_1, row.count_2, row.count_3


@pytest.mark.parametrize(("after", "left"), [(300, (1, 1, 1)), (-10, (2, 2, 2))])
def test_a_refund_leaves_a_window_that_was_opened_or_moved_since(
    world, charge, refund, after, left
):
    first = charge()
    charge(after)
    refund(first)
    assert counts(world) == left


def test_tries_to_confirm_count_with_all_totp_codes(world):
    dave = world.person("dave")
    factors, account = world.runtime.factors, world.account(dave)
    totp = pyotp.TOTP(factors.begin_totp(account).secret)
    for _ in range(3):
        with pytest.raises(EnrolmentInvalid):
            factors.confirm_totp(account, "000000")
    factors.confirm_totp(account, totp.at(world.clock.now))
    assert world.wrong(dave, 3) == ["totp-invalid", "totp-invalid", "totp-max-attempts"]


@pytest.mark.parametrize("unlocks", [True, False])
def test_a_success_ends_the_row_of_failures(world, charge, refund, unlocks):
    for _ in range(3):
        last = charge(guess=True)
    refund(last, unlocks=unlocks)
    assert world.rows(Budget)[0].failures == 0


def test_a_window_that_a_clock_opened_far_ahead_is_open_again(world, charge):
    for _ in range(5):
        charge(10_000)
    charge()
    assert counts(world) == (1, 1, 6)


@row("9.26", "11.N2", "13.auth.3")
def test_each_window_refuses_for_as_long_as_it_lasts(charge):
    waits = []
    for after in (0, 0, 0, 300, 300, 3600, 3600, 7200):
        try:
            charge(after, ((300, 2), (3600, 3), (86400, 5)))
        except TooManyAttempts as refusal:
            waits.append(refusal.retry_after)
    assert waits == [300, 3300, 86400 - 7200]


def test_what_is_no_guess_locks_nothing(world, charge):
    for day in range(150):
        charge(day * 86400)
    assert [row.failures for row in world.rows(Budget)] == [0]
