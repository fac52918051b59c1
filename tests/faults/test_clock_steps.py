"""The clock steps back and forward under a server at work."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread

import pytest
from databases import served_database
from world import RESET

from e2ereset.audit import verify
from e2ereset.mail.delivery import LEASE_SECONDS

pytestmark = pytest.mark.slow

BACK = 90  # seconds
BUDGET, WINDOW = 5, 300
CLIENTS = 3


@pytest.fixture
def database_uri(served_on, tmp_path):
    with served_database(served_on) as uri:
        yield uri or f"sqlite:///{tmp_path}/test.sqlite3"


@pytest.fixture
def config(config):
    return config | {"E2ERESET_DELIVERY": "process"}


def admin_of(world, **facts):
    return world.person("ann", roles=["admin"], **facts), world.person("bob")


def assert_audit_is_whole(world):
    world.runtime.sealer.seal()
    with world.runtime.transactions.read() as session:
        assert list(verify(session, world.runtime.keyring)) == []


@pytest.mark.parametrize("step", [-BACK, -30, 30])
def test_a_spent_totp_code_stays_spent(world, clock, step):
    ann, bob = admin_of(world, totp=True)
    code, body = world.code(ann), {"username": bob.username}
    assert world.reset(ann, body, code=code).status_code == 200
    clock.now += step
    assert world.reset(ann, body, code=code).json["errorType"] == "totp-invalid"


def test_after_a_step_back_codes_are_refused_until_the_clock_has_caught_up(world, clock):
    ann, bob = admin_of(world, totp=True)
    body = {"username": bob.username}
    assert world.reset(ann, body, code=world.code(ann)).status_code == 200
    clock.now -= BACK
    assert world.reset(ann, body, code=world.code(ann)).json["errorType"] == "totp-invalid"
    assert world.reset(ann, body, code=ann.backup_codes[0]).status_code == 200
    clock.now += BACK + 30
    assert world.reset(ann, body, code=world.code(ann)).status_code == 200


def test_a_spent_budget_does_not_reopen(world, clock):
    ann, _ = admin_of(world, totp=True)
    for _ in range(BUDGET):
        world.reset(ann, code="not one")
    clock.now -= BACK
    answer = world.reset(ann, code=world.code(ann))
    assert answer.json["errorType"] == "totp-max-attempts"
    assert answer.json["details"]["retryAfter"] <= WINDOW + BACK


@pytest.mark.parametrize("ahead", [400, 4000, 90_000])
def test_two_machines_whose_clocks_differ_have_one_budget(world, clock, ahead):
    ann, _ = admin_of(world, totp=True)
    ann.headers = world.sign_in(ann.id, expires_at=clock.now + 2 * ahead)
    errors = Counter()
    for _ in range(50):
        for step in (ahead, -ahead):
            clock.now += step
            errors[world.reset(ann, code="not one").json["errorType"]] += 1
    # The one that is ahead opens each window once; the other one opens none anew.
    assert errors["totp-invalid"] <= 2 * BUDGET


def test_a_code_is_worth_nothing_after_a_step_past_its_end(world, clock):
    ann, _ = admin_of(world, email=True)
    assert world.reset(ann).json["errorType"] == "totp-required"
    code = world.mailed_code()
    clock.now += 600
    assert world.reset(ann, code=code).json["errorType"] == "totp-invalid"


def test_a_code_mailed_after_a_step_back_lives_by_the_new_clock(world, clock):
    ann, _ = admin_of(world, email=True)
    clock.now -= BACK
    world.reset(ann)
    code = world.mailed_code()
    clock.now += 599
    assert world.reset(ann, code=code).status_code == 200


def test_a_lease_holds_over_a_step_back(world, clock):
    world.person("ann", totp=True)
    first, second = world.runtime.deliverer, world.runtime.deliverer
    lease = first._lease(clock.now)
    clock.now -= BACK
    assert second.deliver_due() == 0
    assert first._deliver(lease)
    clock.now += BACK + LEASE_SECONDS + 1
    assert second.deliver_due() == 0


def test_the_log_is_whole_though_its_times_go_back_and_forth(world, clock):
    ann, bob = admin_of(world, totp=True)
    for step in (0, -BACK, 3600, -3600):
        clock.now += step
        world.reset(ann, {"username": bob.username}, code="not one")
        assert_audit_is_whole(world)


def test_resets_under_a_clock_that_jumps_are_whole(world, clock):
    people = [world.person(f"user{n}", totp=True) for n in range(24)]
    clients = [world.app.test_client() for _ in range(CLIENTS)]
    with jumping(world), ThreadPoolExecutor(CLIENTS) as pool:
        calls = [(client, person) for person in people for client in clients]
        found = Counter(pool.map(lambda call: reset_by_backup(*call), calls))
    assert found[200] == len(people)
    assert set(found) <= {200, 400, 401}
    assert not any(world.has_key(p) or world.tokens(p) for p in people)
    assert_audit_is_whole(world)


def reset_by_backup(client, person):
    """One of several requests with the same code, which no clock makes wrong."""
    proof = {"x-2fa-code": person.backup_codes[0]}
    return client.post(RESET, headers=person.headers | proof).status_code


@contextmanager
def jumping(world):
    """The clock steps back and forward, and rows are sealed by it, while the block runs."""
    over, start = Event(), world.clock.now

    def jump():
        while not over.wait(0.002):
            world.clock.now = start if world.clock.now < start else start - BACK
            world.runtime.sealer.seal()

    thread = Thread(target=jump)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
