"""A strategy passes with True itself, and with nothing that is only true."""

from functools import partial

import pytest

from e2ereset import Strategy
from tests.kit.world import error


async def later():
    """What a call of an async function gives: true, whatever would come of it."""
    return False


class Odd(Strategy):
    """Answers with what a test wants."""

    name = "odd"

    def usable(self, attempt):
        return True

    def verify(self, attempt, code):
        return True


ODD = [1, "yes", [False], object(), later, partial(iter, ()), None]


@pytest.fixture
def config(config):
    """The server, with that strategy alone."""
    return config | {"E2ERESET_METHODS": [Odd]}


@pytest.fixture
def answers(monkeypatch):
    """Has the strategy's method answer with this from now on, or with what it gives when called."""

    def answers(name, answer):
        monkeypatch.setattr(Odd, name, lambda *_: answer() if callable(answer) else answer)

    return answers


def test_true_passes(world, bob):
    assert world.reset(bob, code="x").status_code == 200


@pytest.mark.parametrize("answer", [*ODD, 0, False])
def test_nothing_else_passes_and_what_is_odd_is_logged(world, bob, answers, caplog, answer):
    answers("verify", answer)
    assert error(world.reset(bob, code="x")) == "totp-invalid"
    assert world.has_key(bob)
    assert ("The strategy odd answered" in caplog.text) is (answer is not False)


@pytest.mark.parametrize("answer", ODD)
def test_a_method_is_usable_with_true_only(world, bob, answers, answer):
    answers("usable", answer)
    assert error(world.reset(bob, code="x")) == "error-two-factor-not-available"
