"""The queue: what a transaction puts in, and how it is kept."""

import pytest
from sqlalchemy import event

from e2ereset.crypto import UnknownKey
from e2ereset.jobs import IDLE, NORMAL, URGENT
from tests.kit.jobs import START

FACTS = {"username": "bob", "code": "123-456", "address": "192.0.2.7"}


@pytest.fixture
def statements(desk):
    """The statements that the queue's own store runs."""
    heard = []
    event.listen(desk.store.engine, "before_cursor_execute", lambda *args: heard.append(args[2]))
    return heard


def test_each_recipient_gets_a_job_that_is_due_at_once(desk):
    desk.put("code", "a@x.org", "b@x.org", expires_at=START + 600)
    assert [row.recipient for row in desk.rows()] == ["a@x.org", "b@x.org"]
    kept = {(row.due_at, row.created_at, row.attempts, row.expires_at) for row in desk.rows()}
    assert kept == {(START, START, 0, START + 600)}


def test_a_job_may_be_for_nobody_and_due_later(desk):
    desk.put("pending", due_at=START + 3600)
    [row] = desk.rows()
    assert (row.recipient, row.due_at, row.created_at) == ("", START + 3600, START)


@pytest.mark.parametrize(
    ("options", "urgency"),
    [({}, NORMAL), ({"expires_at": START + 9}, URGENT), ({"urgency": IDLE}, IDLE)],
)
def test_what_expires_is_urgent_unless_it_is_said(desk, options, urgency):
    desk.put("code", **options)
    assert desk.rows()[0].urgency == urgency


def test_no_recipients_means_no_statement(desk, statements):
    with desk.store.begin() as session:
        desk.queue.put(session, "code", FACTS, recipients=[], now=START)
    assert statements == []


def test_several_recipients_are_one_statement(desk, statements):
    desk.put("code", *(f"{n}@x.org" for n in range(5)))
    assert len([s for s in statements if "e2ereset_outbox" in s]) == 1
    assert len(desk.rows()) == 5


def test_a_transaction_that_is_rolled_back_puts_nothing_in(desk):
    with desk.store.begin() as session:
        desk.queue.put(session, "code", FACTS, now=START)
        session.rollback()
    assert desk.rows() == []


def test_a_row_shows_none_of_the_facts(desk):
    desk.put("code", "a@x.org", facts=FACTS)
    kept = str(desk.rows())
    for secret in ("123-456", "123456", "192.0.2.7", "bob"):
        assert secret not in kept


def test_the_facts_are_found_by_their_row(desk):
    desk.put("code", "a@x.org", facts=FACTS)
    assert desk.queue.facts(desk.rows()[0]) == FACTS


@pytest.mark.parametrize("changed", [{"kind": "key-reset"}, {"recipient": "mallory@x.org"}])
def test_the_facts_are_not_found_by_a_row_of_another_kind_or_recipient(desk, changed):
    desk.put("code", "a@x.org", facts=FACTS)
    desk.change(**changed)
    with pytest.raises(UnknownKey):
        desk.queue.facts(desk.rows()[0])


def test_facts_with_broken_characters_do_not_stop_the_transaction(desk):
    desk.put("code", facts={"agent": "\ud800\x00"})
    assert len(desk.rows()) == 1


def test_of_one_kind_and_once_one_job_waits_and_expires_with_the_last(desk):
    desk.put("asked", once="bob", expires_at=START + 600)
    desk.put("asked", once="bob", expires_at=START + 900)
    desk.put("asked", once="sue", expires_at=START + 600)
    desk.put("other", once="bob", expires_at=START + 600)
    assert [row.expires_at for row in desk.rows()] == [START + 900, START + 600, START + 600]
