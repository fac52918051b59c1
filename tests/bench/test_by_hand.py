"""The twin by hand leaves behind what the server leaves behind: it saves no work."""

import sys
from importlib import import_module

import pytest
from sqlalchemy import create_engine, text

from bench.facts import RESET_PATH, SECRET_KEY
from bench.people import calls_with_codes, calls_without_codes, fill
from bench.scale import World, timed

TABLES = {
    "subscriptions": "user_id",
    "waiting_for_keys": "user_id",
    "tokens": "user_id",
    "e2ereset_key_pairs": "account_id",
    "e2ereset_totp": "account_id",
    "e2ereset_budgets": "account_id",
    "e2ereset_audit": "caller",
    "e2ereset_outbox": "recipient",
}
# What differs from user to user, or by the second.
OTHERS = {"id", "uid", "user_id", "account_id", "caller", "target", "room_id", "recipient"}
OTHERS |= {"secret", "digest", "sealed", "last_sign_in", "agent"}
TIMES = {"at", "since", "start_1", "start_2", "start_3", "created_at", "due_at", "give_up_at"}
TIMES |= {"updated_at", "used_at", "counts_from", "enabled_at"}


@pytest.fixture
def world(database_uri):
    """The server over a few people."""
    fill(database_uri, 8)
    world = World(8, database_uri, 7)
    yield world
    world.close()


@pytest.fixture
def by_hand(world, database_uri, monkeypatch):
    """A client of the twin over the same people."""
    address = database_uri.replace("sqlite:///", "").replace("+psycopg", "")
    monkeypatch.setenv("BENCH_DATABASE", address)
    monkeypatch.setenv("FLASK_SECRET_KEY", SECRET_KEY)
    for name in ("app", "statements"):
        monkeypatch.delitem(sys.modules, f"bench.by_hand.{name}", raising=False)
    module = import_module("bench.by_hand.app")
    yield module.app.test_client()
    module.here.database.close()


def left(uri, user):
    """What there is of a user, as far as it is the same for all."""
    engine = create_engine(uri)
    with engine.connect() as connection:
        found = {}
        for table, column in TABLES.items():
            value = f"{user}@example.org" if column == "recipient" else user
            theirs = text(f"SELECT * FROM {table} WHERE {column} = :value")
            rows = connection.execute(theirs, {"value": value})
            found[table] = [
                {n: v is not None if n in TIMES else v for n, v in row.items() if n not in OTHERS}
                for row in rows.mappings()
            ]
    engine.dispose()
    return found


def test_a_reset_by_hand_leaves_what_a_reset_leaves(world, by_hand, database_uri):
    ours, theirs = calls_with_codes(world.users[:2])
    timed(world, ours)
    assert by_hand.post(RESET_PATH, headers=theirs.headers).status_code == 200
    found = left(database_uri, theirs.user)
    assert found == left(database_uri, ours.user)
    assert [len(found[table]) for table in TABLES] == [8, 8, 0, 0, 1, 1, 1, 1]


def test_a_reset_by_hand_asks_for_token_and_code(world, by_hand):
    (call,) = calls_without_codes(world.users[:1])
    nobody = call.headers | {"X-Auth-Token": "not-a-token"}
    answers = [by_hand.post(RESET_PATH, headers=headers) for headers in (call.headers, nobody)]
    assert [answer.status_code for answer in answers] == [400, 401]
