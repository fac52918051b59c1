"""The queue: what a transaction puts in, and how it is kept."""

from contextlib import suppress

import pytest

from e2ereset.jobs import IDLE, NORMAL, URGENT
from tests.kit.jobs import START

FACTS = {"username": "bob", "code": "123-456", "address": "192.0.2.7"}


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


@pytest.mark.parametrize("count", [0, 5])
def test_each_recipient_has_a_job(desk, count):
    recipients = [f"{n}@x.org" for n in range(count)]
    with desk.store.begin() as session:
        desk.queue.put(session, "code", FACTS, recipients=recipients, now=START)
    assert [row.recipient for row in desk.rows()] == recipients


def test_a_transaction_that_is_rolled_back_puts_nothing_in(desk):
    with suppress(ZeroDivisionError), desk.store.begin() as session:
        desk.queue.put(session, "code", FACTS, now=START)
        raise ZeroDivisionError
    assert desk.rows() == []


def test_a_row_shows_none_of_the_facts(desk):
    desk.put("code", "a@x.org", facts=FACTS)
    kept = str(desk.rows())
    for secret in ("123-456", "123456", "192.0.2.7", "bob"):
        assert secret not in kept


def test_facts_with_broken_characters_do_not_stop_the_transaction(desk):
    desk.put("code", facts={"agent": "\ud800\x00"})
    assert len(desk.rows()) == 1


def test_of_one_kind_and_once_one_job_waits_and_expires_with_the_last(desk):
    desk.put("asked", once="bob", expires_at=START + 600)
    desk.put("asked", once="bob", expires_at=START + 900)
    desk.put("asked", once="sue", expires_at=START + 600)
    desk.put("other", once="bob", expires_at=START + 600)
    assert [row.expires_at for row in desk.rows()] == [START + 900, START + 600, START + 600]
