"""Transactions that wait for each other crosswise."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from e2ereset import Strategy, two_factor_required
from e2ereset.store.transactions import RETRIES, Transactions
from tests.kit.client import SET_KEYS
from tests.kit.databases import only_postgresql

ROUNDS = 10


class Ended(Exception):
    """What a driver raises whose transaction the database ended to break a deadlock."""

    sqlstate = "40P01"


class Unlucky(Strategy):
    """Any code is right, once the database has ended the transaction so many times."""

    name = "unlucky"
    left = 0

    def usable(self, attempt):
        return True

    def verify(self, attempt, code):
        if Unlucky.left:
            Unlucky.left -= 1
            raise OperationalError("", {}, Ended())
        return True


@pytest.fixture
def config(config):
    """The server, with that strategy beside TOTP."""
    return config | {"E2ERESET_METHODS": ["totp", Unlucky]}


def reset(world):
    return world.reset(world.person("bob"), code="x")


def sign_in(world):
    world.person("bob", password="good enough")
    return world.login("bob", "good enough", code="x")


def replace_key(world):
    body = {"public_key": "OTHER", "private_key": "NEW", "force": True}
    headers = world.person("bob").headers | {"x-2fa-code": "x"}
    return world.client.post(SET_KEYS, json=body, headers=headers)


def guarded_view(world):
    view = two_factor_required("delete-project")(lambda: {"success": True})
    world.app.add_url_rule("/projects", view_func=view, methods=["DELETE"])
    headers = world.person("bob").headers | {"x-2fa-code": "x"}
    return world.client.delete("/projects", headers=headers)


ACTIONS = pytest.mark.parametrize("act", [reset, sign_in, replace_key, guarded_view])


@ACTIONS
def test_what_was_ended_to_break_a_deadlock_is_done_anew(world, monkeypatch, act):
    monkeypatch.setattr(Unlucky, "left", RETRIES)
    assert act(world).json["success"] is True


@ACTIONS
def test_what_is_ended_again_and_again_is_503_in_the_end(world, monkeypatch, act):
    monkeypatch.setattr(Unlucky, "left", RETRIES + 1)
    assert act(world).status_code == 503


@only_postgresql
def test_two_administrators_who_reset_each_other_both_succeed(world):
    barrier = Barrier(2, timeout=30)

    def reset(one, other):
        barrier.wait()
        return world.reset(one, {"username": other.username}, code=world.code(one)).status_code

    with ThreadPoolExecutor(2) as pool:
        for n in range(ROUNDS):
            ann, sue = (world.person(f"{name}{n}", roles=["admin"], totp=True) for name in "as")
            found = sorted(pool.map(reset, (ann, sue), (sue, ann)))
            # The second finds that the first has ended its sign-in, or both came in time.
            assert found in ([200, 200], [200, 401])


@only_postgresql
def test_a_stricter_default_ends_none_of_our_transactions(database_uri):
    strict = {"isolation_level": "SERIALIZABLE"}
    engine = create_engine(database_uri, **strict)
    transactions = Transactions(lambda: engine)
    for opened in (transactions.begin, transactions.read, transactions.engine.connect):
        with opened() as session:
            assert session.scalar(text("SHOW transaction_isolation")) == "read committed"
    with engine.connect() as host:
        assert host.scalar(text("SHOW transaction_isolation")) == "serializable"
    engine.dispose()
