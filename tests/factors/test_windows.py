"""The three windows of a budget: what they refuse, and for how long."""

import pytest

from e2ereset.errors import TooManyAttempts
from e2ereset.factors.models import Budget
from tests.kit.rows import row

WINDOWS = ((300, 5), (3600, 20), (86400, 50))


@pytest.fixture
def budgets(world):
    return world.runtime.budgets


def test_a_refund_takes_nothing_of_a_window_that_a_step_back_has_moved(world, budgets):
    now = world.clock.now
    first = budgets.charge("bob", "verify:x", WINDOWS, now)
    budgets.charge("bob", "verify:x", WINDOWS, now - 10)
    with world.runtime.transactions.begin() as session:
        budgets.refund(session, first)
    (row,) = world.rows(Budget)
    assert (row.count_1, row.count_2, row.count_3) == (2, 2, 2)


@row("9.26", "11.N2", "13.auth.3")
def test_each_window_refuses_for_as_long_as_it_lasts(world, budgets):
    now, waits = world.clock.now, []
    windows = ((300, 2), (3600, 3), (86400, 5))
    for after in (0, 0, 0, 300, 300, 3600, 3600, 7200):
        try:
            budgets.charge("bob", "p", windows, now + after)
        except TooManyAttempts as refusal:
            waits.append(refusal.retry_after)
    assert waits == [300, 3300, 86400 - 7200]


def test_what_is_no_guess_locks_nothing(world, budgets):
    now = world.clock.now
    for day in range(150):
        budgets.charge("bob", "send:email", WINDOWS, now + day * 86400)
    assert [row.failures for row in world.rows(Budget)] == [0]
