"""What an operator sees of the queue."""

import pytest

from e2ereset.jobs.listing import NoSuchJob, drop, failed, retry
from e2ereset.jobs.queue import GIVE_UP_SECONDS
from tests.kit.jobs import START


def test_a_listing_tells_all_but_the_facts_of_the_newest_jobs_newest_last(desk):
    desk.put("code", "a@x.org", "b@x.org", "c@x.org", facts={"code": "123-456"})
    first, second = desk.listed(2)
    assert first["recipient"] == "b@x.org"
    assert second == {
        "id": 3,
        "kind": "code",
        "recipient": "c@x.org",
        "created": "2026-01-01T00:00:00.000Z",
        "due": "2026-01-01T00:00:00.000Z",
        "attempts": 0,
        "state": "queued",
        "outcome": None,
    }


FACTS = {"username": "bob"}


def refuse(*_):
    raise ConnectionRefusedError


@pytest.fixture
def dead(desk):
    """Two jobs that were given up: the second is of no use any more. A third one waits."""
    desk.put("notice", "a@x.org", facts=FACTS)
    desk.put("code", "b@x.org", facts=FACTS, expires_at=START + 2 * GIVE_UP_SECONDS)
    desk.clock.tick(GIVE_UP_SECONDS)
    desk.worker(notice=refuse, code=refuse).run_due()
    desk.put("notice", "c@x.org")
    return desk


def change(desk, how, ids):
    with desk.store.begin() as session:
        return [job.id for job in how(session, ids, desk.clock.now)]


def test_what_failed_is_listed_with_its_time_and_reason(dead):
    first, second = dead.listed(how=failed)
    assert first == {
        "id": 1,
        "kind": "notice",
        "recipient": "a@x.org",
        "created": "2026-01-01T00:00:00.000Z",
        "since": "2026-01-08T00:00:00.000Z",
        "attempts": 1,
        "outcome": "gave up: ConnectionRefusedError",
        "retriable": True,
    }
    assert (second["id"], second["retriable"]) == (2, False)


@pytest.mark.parametrize("ids", [[1], None])
def test_what_failed_is_done_when_it_is_tried_again(dead, ids):
    done = []
    assert change(dead, retry, ids) == [1]
    dead.worker(notice=lambda facts, job, _now: done.append((job.id, facts))).run_due()
    assert (1, FACTS) in done
    assert dead.states() == ["delivered", "failed", "delivered"]


def test_what_is_tried_again_has_another_week(dead):
    change(dead, retry, [1])
    assert (dead.rows()[0].attempts, dead.rows()[0].outcome) == (0, None)
    dead.worker(notice=refuse).run_due()
    assert dead.states() == ["queued", "failed", "queued"]
    assert dead.rows()[0].due_at == dead.clock.now + 5


@pytest.mark.parametrize(("ids", "left"), [([2], 2), ([1, 2], 1), (None, 1)])
def test_what_failed_may_be_dropped(dead, ids, left):
    assert change(dead, drop, ids) == (ids or [1, 2])
    assert len(dead.rows()) == left


@pytest.mark.parametrize(
    ("how", "ids"), [(retry, [1, 2]), (retry, [3]), (drop, [1, 3]), (drop, [7])]
)
def test_without_such_a_failed_job_nothing_is_changed(dead, how, ids):
    before = dead.rows()
    with pytest.raises(NoSuchJob):
        change(dead, how, ids)
    assert dead.rows() == before
