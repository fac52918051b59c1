"""A strategy passes with True itself, and with nothing that is only true."""

from functools import partial

import pytest

from e2ereset import Strategy


async def later():
    """What a call of an async function gives: true, whatever would come of it."""
    return False


class Odd(Strategy):
    """Answers with what a test wants, by functions that look harmless when they are loaded."""

    name = "odd"
    is_usable, is_right = True, True

    def usable(self, attempt):
        return self.is_usable() if callable(self.is_usable) else self.is_usable

    def verify(self, attempt, code):
        return self.is_right() if callable(self.is_right) else self.is_right


ODD = [1, "yes", [False], object(), later, partial(iter, ())]


@pytest.fixture
def config(config):
    """The server, with that strategy alone."""
    return config | {"E2ERESET_METHODS": [Odd]}


def test_true_passes(world):
    bob = world.person("bob")
    assert world.reset(bob, code="x").status_code == 200


@pytest.mark.parametrize("answer", [*ODD, 0, None, False])
def test_nothing_else_passes(world, monkeypatch, answer):
    bob = world.person("bob")
    monkeypatch.setattr(Odd, "is_right", staticmethod(answer) if callable(answer) else answer)
    assert world.reset(bob, code="x").json["errorType"] == "totp-invalid"
    assert world.has_key(bob)


@pytest.mark.parametrize("answer", [*ODD, None])
def test_a_method_is_usable_with_true_only(world, monkeypatch, answer):
    bob = world.person("bob")
    monkeypatch.setattr(Odd, "is_usable", staticmethod(answer) if callable(answer) else answer)
    answer = world.reset(bob, code="x")
    assert answer.json["errorType"] == "error-two-factor-not-available"


@pytest.mark.parametrize("answer", [1, None, later])
def test_an_odd_answer_is_logged(world, monkeypatch, caplog, answer):
    bob = world.person("bob")
    monkeypatch.setattr(Odd, "is_right", staticmethod(answer) if callable(answer) else answer)
    world.reset(bob, code="x")
    assert "The strategy odd answered" in caplog.text
