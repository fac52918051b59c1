"""The worker: order, leases, failures and ends, with a real database."""

import logging

import pytest
from sqlalchemy import text

from e2ereset.jobs import IDLE, GiveUp
from e2ereset.jobs.leases import LEASE_SECONDS, NEXT
from e2ereset.jobs.queue import GIVE_UP_SECONDS, JOBS
from tests.kit.databases import only_sqlite
from tests.kit.jobs import KEYS, START
from tests.kit.live import at_once

LITERAL = {"literal_binds": True}


class Done(list):
    """A handler that notes the names, or recipients, of its jobs."""

    def __call__(self, facts, job, _now):
        self.append(facts.get("name") or job.recipient)


def refuse(facts, job, _now):
    raise ConnectionRefusedError(f"{job.recipient} {facts}")


def test_a_handler_gets_the_facts_the_job_and_the_time(desk):
    seen = []
    desk.put("code", "bob@x.org", facts={"code": "1"})
    desk.clock.tick(3)
    worker = desk.worker(code=lambda facts, job, now: seen.append((facts, job.recipient, now)))
    assert worker.run_due() == 1
    assert seen == [({"code": "1"}, "bob@x.org", START + 3)]


def test_a_job_that_was_done_is_closed_and_its_facts_gone(desk):
    desk.put("code", "bob@x.org")
    desk.worker(code=Done()).run_due()
    [row] = desk.rows()
    assert (row.sealed, row.due_at, row.lease) == (None, None, None)
    assert (row.delivered_at, row.outcome, row.attempts) == (START, "delivered", 1)


def test_a_job_for_nobody_leaves_no_row_and_is_not_counted(desk):
    desk.put("asked")
    assert desk.worker(asked=Done()).run_due() == 0
    assert desk.rows() == []


def test_a_job_is_not_done_before_it_is_due(desk):
    done = Done()
    desk.put("pending", facts={"name": "later"}, due_at=START + 60)
    desk.worker(pending=done).run_due()
    assert done == []
    desk.clock.tick(60)
    desk.worker(pending=done).run_due()
    assert done == ["later"]


def test_an_empty_queue_writes_nothing(desk):
    with desk.connect().begin() as session:
        session.execute(JOBS.delete())  # holds SQLite's write lock
        assert desk.worker().run_due() == 0


def test_pauses_double_up_to_a_quarter_of_an_hour(desk):
    desk.put("code")
    worker, pauses = desk.worker(code=refuse), []
    for _ in range(10):
        worker.run_due()
        [row] = desk.rows()
        pauses.append(row.due_at - desk.clock.now)
        desk.clock.now = row.due_at
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


@pytest.mark.parametrize("due_in", [0, 60])
def test_a_job_is_given_up_a_week_after_it_was_due(desk, due_in):
    desk.put("code", "bob@x.org", due_at=START + due_in)
    desk.clock.tick(due_in + GIVE_UP_SECONDS - 1)
    desk.worker(code=refuse).run_due()
    assert desk.states() == ["queued"]
    desk.clock.tick(60)
    desk.worker(code=refuse).run_due()
    [row] = desk.rows()
    assert (row.due_at, row.delivered_at, row.lease) == (None, None, None)
    assert (row.outcome, row.give_up_at) == ("gave up: ConnectionRefusedError", desk.clock.now)
    assert desk.states() == ["failed"]


def test_a_job_of_the_version_before_is_given_up_a_week_after_it_was_put_in(desk):
    desk.put("code", "bob@x.org")
    desk.change(give_up_at=None)
    desk.clock.tick(GIVE_UP_SECONDS)
    desk.worker(code=refuse).run_due()
    assert desk.states() == ["failed"]


def hopeless(*_):
    raise GiveUp("no such room" + "." * 300)


@pytest.mark.parametrize("recipients", [[], ["bob@x.org"]])
@pytest.mark.parametrize(("expires_at", "kept"), [(None, True), (START + 600, False)])
def test_a_job_that_its_handler_gives_up_keeps_its_facts_unless_it_was_to_expire(
    desk, recipients, expires_at, kept
):
    desk.put("code", *recipients, expires_at=expires_at)
    desk.worker(code=hopeless).run_due()
    [row] = desk.rows()
    assert (row.sealed is not None, desk.states()) == (kept, ["failed"])
    assert row.outcome == ("no such room" + "." * 300)[:255]


def test_a_failure_is_kept_and_logged_without_its_text(desk, caplog):
    desk.put("code", "bob@x.org", facts={"code": "123-456"})
    with caplog.at_level(logging.INFO, "e2ereset"):
        desk.worker(code=refuse).run_due()
    assert desk.rows()[0].outcome == "ConnectionRefusedError"
    said = "Mail 1 (code) failed and is tried again: ConnectionRefusedError. `e2ereset doctor`"
    assert said in caplog.text
    assert "123-456" not in caplog.text
    assert "bob@x.org" not in caplog.text


def test_an_expired_job_is_never_done_and_its_facts_are_gone(desk):
    done = Done()
    desk.put("code", "bob@x.org", expires_at=START + 600)
    desk.clock.tick(600)
    assert desk.worker(code=done).run_due() == 0
    assert done == []
    [row] = desk.rows()
    assert (row.sealed, row.due_at, row.outcome) == (None, None, "expired")
    assert desk.states() == ["expired"]


def test_a_job_that_fails_is_due_when_it_expires_at_the_latest(desk):
    desk.put("code", "bob@x.org", expires_at=START + 3)
    desk.worker(code=refuse).run_due()
    assert desk.rows()[0].due_at == START + 3


@pytest.mark.parametrize(
    ("broken", "outcome"),
    [
        ({"sealed": "0000:AAAA"}, "UnknownKey"),
        ({"sealed": "no box at all"}, "UnknownKey"),
        ({"sealed": KEYS.encrypt("outbox", "code\na@x.org", "[")}, "JSONDecodeError"),
        ({"recipient": "mallory@x.org"}, "UnknownKey"),
        ({"kind": "key-reset"}, "UnknownKey"),
    ],
)
def test_a_job_that_cannot_be_decrypted_fails_alone(desk, broken, outcome):
    done = Done()
    desk.put("code", "a@x.org")
    desk.change(**broken)
    desk.put("code", "b@x.org")
    assert desk.worker(**{"code": done, "key-reset": done}).run_due() == 1
    assert done == ["b@x.org"]
    assert desk.rows()[0].outcome == outcome


def test_a_kind_without_a_handler_waits_for_a_version_that_has_one(desk):
    desk.put("newer", "bob@x.org")
    desk.worker().run_due()
    assert desk.rows()[0].outcome == "NoHandler"
    assert desk.states() == ["queued"]


def test_a_job_is_leased_and_no_transaction_is_open_while_it_is_done(desk):
    seen = []

    def look(*_):
        with desk.connect().begin() as session:  # would wait for a writer
            session.execute(JOBS.update().values(attempts=JOBS.c.attempts))
        seen.append((desk.rows()[0].due_at, desk.states()))

    desk.put("code")
    desk.worker(code=look).run_due()
    assert seen == [(START + LEASE_SECONDS, ["leased"])]


def test_the_urgent_goes_first_and_the_idle_last(desk):
    done = Done()
    desk.put("asked", facts={"name": "idle"}, urgency=IDLE)
    desk.clock.tick(1)
    desk.put("notice", "notice@x.org")
    desk.clock.tick(1)
    desk.put("code", "code@x.org", expires_at=START + 600)
    desk.worker(asked=done, notice=done, code=done).run_due()
    assert done == ["code@x.org", "notice@x.org", "idle"]


@pytest.mark.parametrize(
    ("options", "done"),
    [({"expires_at": START + 600}, ["0", "new", "1", "2"]), ({}, ["0", "1", "2"])],
)
def test_of_what_is_put_in_during_a_call_the_urgent_alone_is_done(desk, options, done):
    seen = []

    def work(_facts, job, _now):
        if not seen:
            desk.clock.tick(1)
            desk.put("notice", "new", **options)
        seen.append(job.recipient)

    desk.put("notice", "0", "1", "2")
    desk.worker(notice=work).run_due()
    assert seen == done


@only_sqlite  # PostgreSQL chooses by the size of the table
def test_the_next_job_is_found_by_the_index(desk):
    times = {"due_by": START, "now": START}
    with desk.store.read() as session:
        query = NEXT.params(times).compile(session.connection(), compile_kwargs=LITERAL)
        plan = str(session.execute(text(f"EXPLAIN QUERY PLAN {query}")).all())
    assert "ix_e2ereset_outbox_due" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("recipients", [[], ["bob@x.org"]])
@pytest.mark.parametrize(("seconds", "handler"), [(0, Done()), (600, Done()), (0, hopeless)])
def test_what_is_over_makes_way_for_the_next_of_its_once(desk, recipients, seconds, handler):
    desk.put("code", *recipients, once="bob", expires_at=START + 600)
    desk.clock.tick(seconds)
    desk.worker(code=handler).run_due()
    desk.put("code", *recipients, once="bob")
    assert desk.states()[-1] == "queued"


def test_a_leased_job_is_left_alone_until_the_lease_runs_out(desk):
    desk.put("code", "bob@x.org")
    assert desk.worker()._lease(START)  # and its process is killed
    desk.clock.tick(LEASE_SECONDS - 1)
    assert desk.worker(code=Done()).run_due() == 0
    desk.clock.tick(1)
    assert desk.worker(code=Done()).run_due() == 1


def test_a_worker_that_lost_its_lease_does_not_touch_the_job(desk):
    done = Done()

    def dawdle(*_):
        desk.clock.tick(LEASE_SECONDS)
        desk.worker(code=done).run_due()
        raise TimeoutError

    desk.put("code", "bob@x.org")
    desk.worker(code=dawdle).run_due()
    assert done == ["bob@x.org"]
    [row] = desk.rows()
    assert (row.outcome, row.due_at) == ("delivered", None)


def test_a_call_ends_though_each_job_takes_long_and_fails(desk):
    def hang(*_):
        desk.clock.tick(30)
        raise TimeoutError

    desk.put("code", *map(str, range(5)))
    desk.worker(code=hang).run_due()
    assert [row.attempts for row in desk.rows()] == [1] * 5


def test_two_workers_do_every_job_once(desk):
    desk.put("code", *map(str, range(30)))
    done = Done()
    counts = at_once([desk.worker(code=done).run_due for _ in range(2)])
    assert sum(counts) == len(done) == len(set(done)) == 30
    assert set(desk.states()) == {"delivered"}


def test_an_ending_worker_does_the_job_in_hand_and_no_other(desk):
    desk.put("code", "a", "b", "c")
    worker = desk.worker(code=lambda *_: worker.ending.set())
    assert worker.run_due() == 1
    assert desk.states() == ["delivered", "queued", "queued"]
