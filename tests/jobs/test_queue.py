"""The outbox: what a transaction queues, how it is kept, what a listing shows."""

import pytest
from sqlalchemy import event, select

from e2ereset.crypto import KeyRing, UnknownKey
from e2ereset.jobs.queue import OUTBOX, Outbox, tail
from e2ereset.store.tables import Base
from e2ereset.store.transactions import Transactions

NOW = 1_767_225_600
FACTS = {"username": "bob", "code": "123-456", "address": "192.0.2.7"}


@pytest.fixture
def store(connect):
    engine = connect()
    Base.metadata.create_all(engine)
    return Transactions(lambda: engine)


@pytest.fixture
def outbox():
    return Outbox(KeyRing(["a secret key of the tests"]))


def put(store, outbox, *recipients, **options):
    with store.begin() as session:
        outbox.put(session, "code", recipients, FACTS, now=NOW, **options)


def rows(store):
    with store.read() as session:
        return session.execute(select(OUTBOX).order_by(OUTBOX.c.id)).all()


def listed(store, limit=10):
    with store.read() as session:
        return tail(session, limit)


def test_each_recipient_gets_a_row_that_is_due_at_once(store, outbox):
    put(store, outbox, "a@example.org", "b@example.org", expires_at=NOW + 600)
    assert [row.recipient for row in rows(store)] == ["a@example.org", "b@example.org"]
    assert {(row.due_at, row.created_at, row.attempts) for row in rows(store)} == {(NOW, NOW, 0)}
    assert {row.expires_at for row in rows(store)} == {NOW + 600}


def test_no_recipients_means_no_statement(store, outbox):
    statements = []
    event.listen(store.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    put(store, outbox)
    assert statements == []


def test_several_recipients_are_one_statement(store, outbox):
    statements = []
    event.listen(store.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    put(store, outbox, *(f"{n}@example.org" for n in range(5)))
    assert len([s for s in statements if "e2ereset_outbox" in s]) == 1
    assert len(rows(store)) == 5


def test_a_rolled_back_transaction_mails_nothing(store, outbox):
    with store.begin() as session:
        outbox.put(session, "code", ["a@example.org"], FACTS, now=NOW)
        session.rollback()
    assert rows(store) == []


def test_the_sealed_body_shows_none_of_the_facts(store, outbox):
    put(store, outbox, "a@example.org")
    kept = "".join(map(str, rows(store)))
    for secret in ("123-456", "123456", "192.0.2.7", "bob"):
        assert secret not in kept


def test_the_facts_open_for_their_recipient_and_kind(store, outbox):
    put(store, outbox, "a@example.org")
    [row] = rows(store)
    assert outbox.open("code", "a@example.org", row.sealed) == FACTS


@pytest.mark.parametrize(
    ("kind", "recipient"), [("key-reset", "a@example.org"), ("code", "mallory@example.org")]
)
def test_the_facts_open_for_nobody_else(store, outbox, kind, recipient):
    put(store, outbox, "a@example.org")
    [row] = rows(store)
    with pytest.raises(UnknownKey):
        outbox.open(kind, recipient, row.sealed)


def test_facts_with_broken_characters_do_not_stop_the_transaction(store, outbox):
    with store.begin() as session:
        outbox.put(session, "code", ["a@example.org"], {"agent": "\ud800\x00"}, now=NOW)
    assert len(rows(store)) == 1


def test_a_listing_tells_all_but_the_facts(store, outbox):
    put(store, outbox, "a@example.org")
    assert listed(store) == [
        {
            "id": 1,
            "kind": "code",
            "recipient": "a@example.org",
            "created": "2026-01-01T00:00:00.000Z",
            "due": "2026-01-01T00:00:00.000Z",
            "attempts": 0,
            "state": "queued",
            "outcome": None,
        }
    ]


def test_a_listing_holds_the_newest_mails_newest_last(store, outbox):
    put(store, outbox, *(f"{n}@example.org" for n in range(5)))
    assert [mail["recipient"] for mail in listed(store, 2)] == ["3@example.org", "4@example.org"]


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({"lease": "x"}, "leased"),
        ({"due_at": None, "delivered_at": NOW, "outcome": "delivered"}, "delivered"),
        ({"due_at": None, "outcome": "expired"}, "expired"),
        ({"due_at": None, "outcome": "gave up: OSError"}, "failed"),
    ],
)
def test_a_listing_names_the_state(store, outbox, columns, state):
    put(store, outbox, "a@example.org")
    with store.begin() as session:
        session.execute(OUTBOX.update().values(**columns))
    assert [mail["state"] for mail in listed(store)] == [state]
