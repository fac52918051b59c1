"""A reset, or another key pair in the place of one, whose worker is killed, or whose connection is
cut, at each of its statements in turn.
"""

import hashlib
from dataclasses import dataclass, replace
from itertools import count, groupby

import pytest
from sqlalchemy import select

from e2ereset import get_e2ereset
from e2ereset.factors.models import Budget
from e2ereset.jobs.models import Job
from e2ereset.server.app import create_app
from e2ereset.server.tables import db
from e2ereset.store.tables import table
from e2ereset.testing import FakeClock
from tests.kit import moments
from tests.kit.client import RESET, SET_KEYS
from tests.kit.databases import fill, served_database
from tests.kit.server import HASHER, configuration
from tests.kit.states import RESET as WHOLE
from tests.kit.states import (
    UNTOUCHED,
    account_of,
    add_user,
    assert_log_is_whole,
    enrol_totp,
    states,
)

pytestmark = pytest.mark.slow

BUDGETS = table(Budget)
REPLACED = replace(WHOLE, pairs=1)
PASSWORD = hashlib.sha256(b"correct horse").hexdigest()


@dataclass
class Case:
    """One caller with a code, and whom it is for."""

    caller: object
    target: object
    code: str
    method: str
    done: object = WHOLE


class Cases:
    """Makes callers who may reset once, each way in turn, on one server."""

    def __init__(self, app, clock):
        self.app, self.clock, self.runtime = app, clock, get_e2ereset(app)
        self.engine = db.engine
        self._numbers = count()

    def make(self, way, *, own):
        number = next(self._numbers)
        facts = {"roles": ["user" if own else "admin"]}
        if way == "password":
            facts["password_hash"] = HASHER.hash_digest(PASSWORD)
        caller = add_user(self.runtime, f"caller{number}", **facts)
        target = caller if own else add_user(self.runtime, f"target{number}")
        code, method = getattr(self, f"_{way}")(caller, target)
        return Case(caller, target, code, method)

    def reset(self, case):
        proof = {"x-2fa-code": case.code, "x-2fa-method": case.method}
        proof = {name: value for name, value in proof.items() if value}
        url, body = RESET, {} if case.target is case.caller else {"username": case.target.name}
        if case.done == REPLACED:
            url, body = SET_KEYS, {"public_key": "OTHER", "private_key": "NEW", "force": True}
        return self.app.test_client().post(url, json=body, headers=case.caller.headers | proof)

    def charges(self, case):
        """How many tries of the caller are counted."""
        mine = BUDGETS.c.account_id == case.caller.id, BUDGETS.c.purpose.startswith("verify:")
        with self.engine.connect() as connection:
            return connection.execute(select(BUDGETS.c.count_1).where(*mine)).scalar() or 0

    def state(self, case):
        return states(self.app, [case.target])[case.target.id]

    def _totp(self, caller, _target):
        return enrol_totp(self.runtime, caller)[0].at(self.clock.now), "totp"

    def _backup(self, caller, _target):
        return enrol_totp(self.runtime, caller)[1][0], "totp"

    def _password(self, _caller, _target):
        return PASSWORD, "password"

    def _email(self, caller, target):
        self.runtime.factors.set_email(account_of(self.runtime, caller), True)
        answer = self.reset(Case(caller, target, "", "email"))
        assert answer.json["errorType"] == "totp-required"
        query = select(Job).filter_by(recipient=caller.address, kind="code")
        with self.runtime.transactions.read() as session:
            return self.runtime.jobs.facts(session.scalars(query).one())["code"], "email"


@pytest.fixture(scope="module")
def cases(served_on, tmp_path_factory):
    folder, clock = tmp_path_factory.mktemp("statements"), FakeClock()
    with served_database(served_on) as uri, pytest.MonkeyPatch.context() as patch:
        patch.setenv("E2ERESET_INSTANCE", str(folder))
        app = create_app(configuration(uri or f"sqlite:///{folder}/test.sqlite3"), clock=clock)
        with app.app_context():
            fill(db.engine)
            yield Cases(app, clock)
            assert_log_is_whole(get_e2ereset(app))
            db.engine.dispose()


def story(cases, way, strike, *, own, done=WHOLE):
    """What each moment leaves, the first first; each proof is then brought a second time."""
    told = []
    for fatal in count(1):
        case = replace(cases.make(way, own=own), done=done)
        cases.engine.dispose()
        struck = strike(cases.engine, fatal, lambda case=case: cases.reset(case))
        told.append((cases.state(case), cases.charges(case)))
        if struck or way != "password":  # which may serve again
            assert_serves_once(cases, case, done=told[-1][0] == done)
        if not struck:
            return told


def assert_serves_once(cases, case, *, done):
    """The proof that a reset did not take serves still; one that it took serves no more."""
    again = cases.reset(case)
    assert (again.status_code == 200) != done, again.json
    assert cases.state(case) == case.done


@pytest.mark.parametrize("strike", [moments.killed_at, moments.cut_at])
@pytest.mark.parametrize("own", [True, False], ids=["own", "admin"])
@pytest.mark.parametrize("way", ["totp", "backup", "email", "password"])
def test_each_moment_leaves_all_or_nothing_and_a_counted_try(cases, way, own, strike):
    told = story(cases, way, strike, own=own)
    assert [what for what, _ in groupby(told)] == [(UNTOUCHED, 0), (UNTOUCHED, 1), (WHOLE, 0)]
    assert len(told) > 10


@pytest.mark.parametrize("strike", [moments.killed_at, moments.cut_at])
def test_another_key_pair_comes_whole_or_not_at_all(cases, strike):
    told = story(cases, "totp", strike, own=True, done=REPLACED)
    assert [what for what, _ in groupby(told)] == [(UNTOUCHED, 0), (UNTOUCHED, 1), (REPLACED, 0)]
