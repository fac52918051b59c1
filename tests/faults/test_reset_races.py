"""A reset that races whatever else may change the same rows, over HTTP, round after round."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import select, text

from e2ereset import get_e2ereset
from e2ereset.audit.models import AuditRow
from e2ereset.permissions.service import EDIT_OTHER_USER_E2EE
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.store.tables import table
from tests.kit.client import LOGIN, ME, SET_KEYS
from tests.kit.databases import served_database
from tests.kit.live import PAIR, at_once, make_live
from tests.kit.network import wait_for
from tests.kit.postgres import execute
from tests.kit.states import RESET, add_user, assert_audit_is_whole, enrol_totp, states

pytestmark = pytest.mark.slow

ROUNDS = 25
PASSWORD = "correct horse battery"
AUDIT = table(AuditRow)


class Ring:
    """A server, and new people for each round on it."""

    def __init__(self, live, app):
        self.live, self.app, self.runtime = live, app, get_e2ereset(app)
        self.engine = self.runtime.transactions.engine
        self.password_hash = PasswordHasher(10).hash(PASSWORD)
        self._made = 0

    def person(self, role):
        self._made += 1
        facts = {"roles": [role], "password_hash": self.password_hash}
        return add_user(self.runtime, f"{role}{self._made}", **facts)

    def admin(self):
        admin = self.person("admin")
        admin.totp = enrol_totp(self.runtime, admin)[0]
        return admin

    def resetting(self, admin, target=None):
        """A call that resets, with a code of this moment."""
        return partial(self.live.reset, admin, target, code=admin.totp.now(), method="totp")

    def signing_in(self, user):
        body = {"user": user.name, "password": PASSWORD}
        return partial(self.live.call, "POST", LOGIN, None, body)

    def storing(self, user):
        return partial(self.live.call, "POST", SET_KEYS, user.headers, PAIR)

    def me(self, headers):
        return self.live.call("GET", ME, headers).status

    def state(self, user):
        return states(self.app, [user])[user.id]

    def outcomes(self, target):
        query = select(AUDIT.c.outcome).where(AUDIT.c.target == target.id)
        query = query.where(AUDIT.c.action == "reset-e2e-key").order_by(AUDIT.c.id)
        with self.engine.connect() as connection:
            return connection.scalars(query).all()

    def was_signed_in_after_the_reset(self, user):
        """Whether the sign-in of this user was committed later than the reset of the same user."""
        with self.engine.connect() as connection:
            return connection.execute(LATER[self.engine.dialect.name], {"id": user.id}).scalar()


LATER = {
    # SQLite has one writer at a time: what has the higher number was committed later.
    "sqlite": text(
        "SELECT (SELECT max(id) FROM e2ereset_audit WHERE target = :id AND action = 'login')"
        " > (SELECT max(id) FROM e2ereset_audit WHERE target = :id AND action = 'reset-e2e-key')"
    ),
    "postgresql": text(
        "SELECT pg_xact_commit_timestamp(t.xmin) >= pg_xact_commit_timestamp(w.xmin)"
        " FROM tokens t JOIN waiting_for_keys w ON w.user_id = t.user_id WHERE t.user_id = :id"
    ),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ring(request, tmp_path_factory):
    on_postgres = request.param == "postgresql"
    server = request.getfixturevalue("postgres").uri() if on_postgres else None
    folder = tmp_path_factory.mktemp("ring")
    with served_database(server) as uri, make_live(folder, uri) as live, live.app() as app:
        yield Ring(live, app)
        assert_audit_is_whole(live)


def headers_of(answer):
    data = answer.body["data"]
    return {"X-User-Id": data["userId"], "X-Auth-Token": data["authToken"]}


def statuses(calls):
    return sorted(answer.status for answer in at_once(calls))


def test_a_sign_in_that_races_a_reset_is_dead_or_younger(ring):
    for _ in range(ROUNDS):
        admin, bob = ring.admin(), ring.person("user")
        reset, login = at_once([ring.resetting(admin, bob), ring.signing_in(bob)])
        assert (reset.status, login.status) == (200, 200)
        if ring.me(headers_of(login)) == 200:
            assert ring.was_signed_in_after_the_reset(bob)
        assert ring.me(bob.headers) == 401


@pytest.mark.parametrize("ring", ["postgresql"], indirect=True)
def test_a_sign_in_answered_before_the_reset_commits_is_dead_after_it(ring):
    admin, bob = ring.admin(), ring.person("user")
    engine, pool = ring.engine, ThreadPoolExecutor(2)
    with pool, engine.connect() as holder:
        # The reset has ended the sign-ins by the time it needs this row.
        lock = "SELECT 1 FROM subscriptions WHERE user_id = :id FOR UPDATE"
        holder.execute(text(lock), {"id": bob.id})
        reset = pool.submit(ring.resetting(admin, bob))
        wait_for(lambda: waiting(ring) == 1, "the reset to wait")
        login = pool.submit(ring.signing_in(bob))
        wait_for(lambda: login.done() or waiting(ring) == 2, "the sign-in to be answered, or wait")
        was_answered = login.done()
        holder.rollback()
    assert reset.result().status == 200
    assert ring.me(headers_of(login.result())) == (401 if was_answered else 200)


def waiting(ring):
    """How many connections wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    uri = ring.engine.url.render_as_string(hide_password=False)
    return execute(uri, query)[0][0]


@pytest.mark.parametrize("own", [True, False], ids=["own", "admin"])
def test_no_key_pair_of_an_ended_sign_in_outlives_the_reset(ring, own):
    for _ in range(ROUNDS):
        bob = ring.admin()
        admin = bob if own else ring.admin()
        calls = [ring.resetting(admin, None if own else bob), *[ring.storing(bob)] * 3]
        reset, *stored = at_once(calls)
        assert reset.status == 200
        assert {answer.status for answer in stored} <= {200, 401}
        assert ring.state(bob) == RESET


def test_of_two_resets_of_one_target_both_are_whole(ring):
    for _ in range(ROUNDS):
        ann, sue, bob = ring.admin(), ring.admin(), ring.person("user")
        assert statuses([ring.resetting(ann, bob), ring.resetting(sue, bob)]) == [200, 200]
        assert ring.outcomes(bob) == ["reset", "nothing-to-reset"]
        assert ring.state(bob).tokens == ring.state(bob).pairs == 0


def test_an_own_reset_and_that_of_an_administrator_are_both_whole(ring):
    for _ in range(ROUNDS):
        ann, bob = ring.admin(), ring.admin()
        by_ann, by_bob = at_once([ring.resetting(ann, bob), ring.resetting(bob)])
        assert by_ann.status == 200
        # The one that comes second finds the sign-in ended, unless it is the administrator's.
        assert by_bob.status in (200, 401)
        assert ring.state(bob).tokens == ring.state(bob).pairs == 0
        assert ring.outcomes(bob).count("reset") == 1


def test_two_administrators_who_reset_each_other_are_both_answered(ring):
    for _ in range(ROUNDS):
        ann, sue = ring.admin(), ring.admin()
        found = statuses([ring.resetting(ann, sue), ring.resetting(sue, ann)])
        assert found in ([200, 200], [200, 401])
        left = [ring.state(admin) for admin in (ann, sue)]
        assert [state.pairs == state.tokens == 0 for state in left].count(True) == found.count(200)


def test_a_reset_that_succeeds_began_before_the_permission_was_taken(ring):
    for _ in range(ROUNDS):
        pairs = [(ring.admin(), ring.person("user")) for _ in range(6)]
        calls = [partial(timed, ring.resetting(*pair)) for pair in pairs]
        *resets, revoked = at_once([*calls, partial(permit, ring.runtime, False)])
        for (began, answer), (_, bob) in zip(resets, pairs, strict=True):
            assert (answer.status, answer.error) in [(200, None), (400, "error-not-allowed")]
            assert began < revoked or answer.status == 400
            assert (ring.state(bob) == RESET) == (answer.status == 200)
        permit(ring.runtime, True)


def timed(call):
    return time.monotonic(), call()


def permit(runtime, allowed):
    """Give the permission or take it away; when that was committed, at the latest."""
    change = runtime.permissions.grant if allowed else runtime.permissions.revoke
    with runtime.transactions.begin() as session:
        change(session, EDIT_OTHER_USER_E2EE, "admin")
    return time.monotonic()
