"""What nobody learns from an answer or its time, and what an account that is switched off gets."""

import pytest
from sqlalchemy import event, update

from e2ereset.background import Background
from e2ereset.jobs.models import Job
from e2ereset.server.people.models import User
from e2ereset.store.tables import table
from e2ereset.testing import enable_email, make_account
from tests.kit.client import SEND_CODE, SET_KEYS
from tests.kit.host import HostAccounts
from tests.kit.world import World


@pytest.fixture
def looked_up(world):
    """The parameters of every look-up of users from now on."""
    seen = []

    def note(_connection, _cursor, statement, parameters, *_):
        if statement.startswith("SELECT") and "FROM users" in statement:
            seen.append(str(parameters))

    event.listen(world.engine, "before_cursor_execute", note)
    return seen


@pytest.mark.parametrize("key", ["userId", "username"])
def test_who_may_not_reset_others_has_nobody_looked_up(world, bob, looked_up, key):
    ann = world.person("ann")
    named = ann.id if key == "userId" else "ann"
    looked_up.clear()
    world.reset(bob, {key: named})
    answer = world.reset(bob, {key: named}, code=world.code(bob))
    assert answer.json["errorType"] == "error-not-allowed"
    assert looked_up
    assert not any(f"'{named}'" in parameters for parameters in looked_up)


def test_asking_for_a_code_wakes_nobody(make_server, config, engine, session, clock, monkeypatch):
    woken = []
    monkeypatch.setattr(Background, "ensure_running", lambda _: None)
    monkeypatch.setattr(Background, "wake", lambda thread: woken.append(thread))
    world = World(make_server(config | {"E2ERESET_DELIVERY": "thread"}), session, clock)
    eve = world.person("eve", email=True)
    world.reset(eve)
    assert woken
    woken.clear()
    for headers in ({}, eve.headers):
        world.client.post(SEND_CODE, json={"emailOrUsername": "eve"}, headers=headers)
    assert woken == []


def test_nobody_who_is_switched_off_is_signed_in(make_host):
    gone = make_account("gone", active=False)
    host = make_host(accounts=HostAccounts(gone))
    assert host.reset(gone).status_code == 401
    assert host.post(SET_KEYS, gone, json={}).status_code == 401


def test_nobody_who_is_switched_off_is_mailed_a_code(world, eve):
    world.reset(eve)
    world.session.execute(update(table(User)).where(User.id == eve.id).values(active=False))
    world.session.commit()
    world.clock.now += 60
    asked = {"name": "eve", "account": "", "address": "", "agent": ""}
    assert world.runtime.codes.answer(asked, None, world.clock.now) is False
    assert world.count_codes() == 1


def test_who_is_switched_off_asks_as_a_stranger_does(make_host):
    gone, eve = make_account("gone", active=False), make_account("eve")
    host = make_host(accounts=HostAccounts(gone, eve), MAIL_BACKEND="locmem")
    enable_email(host.app, eve)
    host.reset(eve)
    before = host.count(Job)
    host.clock.now += 60
    host.post(SEND_CODE, gone, json={"emailOrUsername": "eve"})
    host.runtime.worker.run_due()
    assert host.count(Job) > before
