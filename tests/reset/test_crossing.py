"""Resets, and holds of them, at the same moment: one comes after the other."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import OperationalError

from e2ereset.audit import Operator
from e2ereset.errors import ResetHeld
from e2ereset.records import Caller
from e2ereset.reset.holds import Holds
from e2ereset.server.people.accounts import lock_account
from e2ereset.server.people.models import User
from e2ereset.server.rooms import service as rooms
from tests.kit.client import RESET
from tests.kit.databases import only_postgresql, only_sqlite
from tests.kit.host import BOB, SUE
from tests.kit.live import at_once
from tests.kit.world import error

ROOT = Operator(login="root", reason="lost phone")
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def until_it_waits(engine, meanwhile):
    """Whether it comes to wait for a lock; False where it ends before."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
        deadline = time.monotonic() + 4  # of the 5 s after which it gives up
        while not meanwhile.done() and time.monotonic() < deadline:
            if watching.scalar(WAITING):
                return True
            time.sleep(0.01)
    return False


@pytest.fixture
def between(monkeypatch):
    """Begins something in another thread after a step of the holds; whether it waited, and it."""
    with ThreadPoolExecutor(1) as other:

        def between(engine, step, act):
            done, seen = getattr(Holds, step), []

            def stepped(*args, **facts):
                result = done(*args, **facts)
                if not seen:
                    seen.append(None)
                    begun = other.submit(act)
                    seen[:] = [until_it_waits(engine, begun), begun]
                return result

            monkeypatch.setattr(Holds, step, stepped)
            return seen

        yield between


def hold(world, person):
    who = Caller(account=world.account(person))
    return world.runtime.resets.holds.hold(who, world.clock.now)


def by_operator(world, person):
    return world.runtime.resets.reset_by_operator(ROOT, person.id, world.clock.now)


@only_postgresql
@pytest.mark.parametrize("by", ["root", "bob", "operator"])
def test_a_hold_that_begins_between_the_check_and_the_act_comes_after(
    world, bob, admin, between, by
):
    waited = between(world.engine, "check", partial(hold, world, bob))
    if by == "operator":
        by_operator(world, bob)
    else:
        caller = {"bob": bob, "root": admin}[by]
        code = world.code(caller)
        assert world.reset(caller, {"username": "bob"}, code=code).status_code == 200
    assert waited[0], "it began while the reset was under way"
    assert waited[1].result() == world.runtime.resets.holds.held_until(bob.id, world.clock.now)
    acts = [act for act, *_ in world.outcomes()]
    assert acts.index("reset-e2e-key") < acts.index("hold-resets")


@only_postgresql
@pytest.mark.parametrize("by", ["root", "operator"])
def test_a_reset_that_begins_while_a_hold_is_under_way_is_refused(world, bob, admin, between, by):
    def reset():
        if by == "root":
            return error(world.reset(admin, {"username": "bob"}, code=world.code(admin)))
        with pytest.raises(ResetHeld) as refused:
            by_operator(world, bob)
        return refused.value.code

    waited = between(world.engine, "_hold", reset)
    hold(world, bob)
    assert waited[0], "it was let through while the hold was under way"
    assert waited[1].result() == "error-reset-held"
    assert world.has_key(bob)


@only_postgresql
def test_so_it_is_where_the_host_has_no_row_to_lock(host, between):
    host.give_key()
    code, holds = host.code(SUE), host.runtime.resets.holds
    engine = host.runtime.transactions.engine
    waited = between(engine, "check", partial(holds.hold, Caller(account=BOB), host.clock.now))
    assert host.reset(SUE, code, username="bob").status_code == 200
    assert waited[0], "it began while the reset was under way"
    assert waited[1].result() == holds.held_until(BOB.id, host.clock.now)
    with pytest.raises(ResetHeld):
        host.runtime.resets.reset_by_operator(ROOT, BOB.id, host.clock.now)


@only_postgresql
def test_a_reset_locks_its_account_once(world, bob):
    sent = []
    event.listen(world.engine, "before_cursor_execute", lambda _c, _u, sql, *_: sent.append(sql))
    assert world.reset(bob, code=world.code(bob)).status_code == 200
    assert sum("FOR UPDATE" in sql for sql in sent) == 1
    assert len(sent) == 15, "with BEGIN and COMMIT the 17 of docs/performance.md"


@only_postgresql
def test_a_lock_that_a_savepoint_has_undone_is_taken_anew(world, bob):
    wanted = select(User.id).where(User.id == bob.id).with_for_update(nowait=True)
    with world.runtime.transactions.begin() as session, world.engine.connect() as other:
        with session.begin_nested() as part:
            session.connection()
            lock_account(session, bob.id)
            part.rollback()
        lock_account(session, bob.id)
        with pytest.raises(OperationalError, match="could not obtain lock"):
            other.execute(wanted)


def planned(world, person):
    """A reset of the own key that is bound to its plan, by the test's own client."""
    twin = world.through(world.app)
    plan = twin.client.get(f"{RESET}.preview", headers=person.headers).json
    assert [room["holders"] for room in plan["rooms"]] == [1]
    body = {"plan": plan["digest"]}
    return partial(twin.reset, person, body, code=world.code(person))


@pytest.fixture
def two(world, bob):
    """Two who alone have the key of a room."""
    other = world.person("una", totp=True)
    world.room("r1", bob, other)
    return bob, other


@only_postgresql
def test_whoever_was_told_that_another_has_the_key_is_not_left_without(world, two, between):
    first, second = (planned(world, person) for person in two)
    waited = between(world.engine, "check", second)
    assert first().status_code == 200
    assert waited[0], "it was let through while the first was under way"
    assert error(waited[1].result()) == "error-plan-changed"
    assert (world.has_key(two[0]), world.has_key(two[1])) == (False, True)


@only_postgresql
def test_of_two_who_wait_for_each_other_one_is_shown_the_plan_anew(world, two, monkeypatch):
    locked, barrier = rooms.lock_room_keys, Barrier(2, timeout=30)
    waits = iter([barrier.wait] * 2)  # not those that run again

    def lock_room_keys(*args):
        locked(*args)
        next(waits, bool)()

    monkeypatch.setattr(rooms, "lock_room_keys", lock_room_keys)
    answers = at_once([planned(world, person) for person in two])
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    assert {error(a) for a in answers if a.status_code == 400} == {"error-plan-changed"}


@only_sqlite
def test_from_the_check_on_nobody_else_writes_the_file(world, bob, monkeypatch):
    check, seen = Holds.check, []

    def checked(*args):
        check(*args)
        with world.engine.connect() as other:
            other.exec_driver_sql("PRAGMA busy_timeout = 0")
            with pytest.raises(OperationalError, match="locked"):
                other.exec_driver_sql("BEGIN IMMEDIATE")
            other.exec_driver_sql("PRAGMA busy_timeout = 10000")
        seen.append(None)

    monkeypatch.setattr(Holds, "check", checked)
    by_operator(world, bob)
    assert seen
    assert not world.has_key(bob)
