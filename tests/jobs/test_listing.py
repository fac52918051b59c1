"""What an operator sees of the queue."""

import pytest

from e2ereset.jobs.listing import tail
from tests.kit.jobs import START


def listed(desk, limit=10):
    with desk.store.read() as session:
        return tail(session, limit)


def test_a_listing_tells_all_but_the_facts(desk):
    desk.put("code", "a@x.org", facts={"code": "123-456"})
    assert listed(desk) == [
        {
            "id": 1,
            "kind": "code",
            "recipient": "a@x.org",
            "created": "2026-01-01T00:00:00.000Z",
            "due": "2026-01-01T00:00:00.000Z",
            "attempts": 0,
            "state": "queued",
            "outcome": None,
        }
    ]


def test_a_listing_holds_the_newest_jobs_newest_last(desk):
    desk.put("code", *(f"{n}@x.org" for n in range(5)))
    assert [job["recipient"] for job in listed(desk, 2)] == ["3@x.org", "4@x.org"]


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({"lease": "x"}, "leased"),
        ({"due_at": None, "delivered_at": START, "outcome": "delivered"}, "delivered"),
        ({"due_at": None, "outcome": "expired"}, "expired"),
        ({"due_at": None, "outcome": "gave up: OSError"}, "failed"),
    ],
)
def test_a_listing_names_the_state(desk, columns, state):
    desk.put("code", "a@x.org")
    desk.change(**columns)
    assert desk.states() == [state]
