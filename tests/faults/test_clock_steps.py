"""The clock steps back and forward under a server at work."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from e2ereset import get_e2ereset
from e2ereset.errors import TooManyAttempts
from e2ereset.factors.budgets import Budgets
from e2ereset.jobs.leases import LEASE_SECONDS
from e2ereset.server.app import create_app
from tests.kit.client import RESET
from tests.kit.databases import fill, served_database
from tests.kit.load import meanwhile
from tests.kit.states import assert_log_is_whole

pytestmark = pytest.mark.slow

BACK = 90  # seconds
BUDGET, WINDOW = 5, 300
BOB = {"username": "bob"}
CLIENTS = 3


@pytest.fixture
def database_uri(served_on, tmp_path):
    with served_database(served_on) as uri:
        yield uri or f"sqlite:///{tmp_path}/test.sqlite3"


@pytest.fixture
def engine(connect):
    engine = connect()
    fill(engine)
    return engine


@pytest.fixture
def ann(world):
    """An administrator with TOTP, beside bob."""
    world.person("bob")
    return world.person("ann", roles=["admin"], totp=True)


@pytest.mark.parametrize("step", [-BACK, -30, 30])
def test_a_spent_totp_code_stays_spent(world, clock, ann, step):
    code = world.code(ann)
    assert world.reset(ann, BOB, code=code).status_code == 200
    clock.now += step
    assert world.reset(ann, BOB, code=code).json["errorType"] == "totp-invalid"


def test_after_a_step_back_codes_are_refused_until_the_clock_has_caught_up(world, clock, ann):
    assert world.reset(ann, BOB, code=world.code(ann)).status_code == 200
    clock.now -= BACK
    assert world.reset(ann, BOB, code=world.code(ann)).json["errorType"] == "totp-invalid"
    assert world.reset(ann, BOB, code=ann.backup_codes[0]).status_code == 200
    clock.now += BACK + 30
    assert world.reset(ann, BOB, code=world.code(ann)).status_code == 200


def test_a_spent_budget_does_not_reopen(world, clock, ann):
    world.wrong(ann, BUDGET)
    clock.now -= BACK
    answer = world.reset(ann, code=world.code(ann))
    assert answer.json["errorType"] == "totp-max-attempts"
    assert answer.json["details"]["retryAfter"] <= WINDOW


@pytest.mark.parametrize("ahead", [1, 200, 300, 4000, 90_000, 10**9])
def test_a_jump_forward_that_is_taken_back_locks_nobody_longer_than_its_window(
    world, clock, ann, ahead
):
    clock.now += ahead
    ann.headers = world.sign_in(ann.id)
    world.wrong(ann, BUDGET)
    clock.now -= ahead
    answer = world.reset(ann)  # the first look after the step
    assert answer.json["details"].get("retryAfter", 0) <= WINDOW
    clock.now += WINDOW
    assert world.reset(ann, code=world.code(ann)).status_code == 200


@pytest.mark.parametrize("ahead", [4000, 90_000, 10**9])
def test_a_long_jump_locks_nobody_who_did_not_look_meanwhile(world, clock, ann, ahead):
    clock.now += ahead
    ann.headers = world.sign_in(ann.id)
    world.wrong(ann, BUDGET)
    clock.now += WINDOW - ahead
    assert world.reset(ann, code=world.code(ann)).status_code == 200


def test_a_spent_hour_is_moved_likewise(world, clock, ann):
    for _ in range(4 * BUDGET):
        world.reset(ann, code="not one")
        clock.now += WINDOW // BUDGET + 1
    clock.now -= 3000
    assert world.reset(ann).json["details"]["retryAfter"] <= 3600
    clock.now += 3600
    assert world.reset(ann, code=world.code(ann)).status_code == 200


def test_machines_whose_clocks_differ_have_one_budget(world):
    budgets, windows = Budgets(world.runtime.transactions, by_database=True), ((300, 5),) * 3
    charges = [lambda now=now: budgets.charge("ann", "p", windows, now) for now in (0, 10**10)]
    for n in range(5):
        charges[n % 2]()
    with pytest.raises(TooManyAttempts) as refusal:
        charges[1]()
    assert 290 < refusal.value.retry_after <= 300


def test_the_servers_budgets_count_by_the_databases_clock(make_server, config, engine, monkeypatch):
    monkeypatch.setattr("tests.kit.server.create_app", lambda config, clock: create_app(config))
    app = make_server(config)
    with app.app_context():
        charge = get_e2ereset().budgets.charge("ann", "p", ((300, 5),) * 3, 0)
        assert abs(charge.starts[0] - time.time()) < 5
        assert app.test_cli_runner().invoke(args=["purge"]).exit_code == 0
        assert get_e2ereset().budgets.refusal("ann", "p", ((300, 1),) * 3, 0).retry_after > 0


def test_a_lease_holds_over_a_step_back(world, clock, ann):
    first, second = world.runtime.worker, world.runtime.worker
    lease = first._lease(clock.now)
    clock.now -= BACK
    assert second.run_due() == 0
    assert first._do(lease)
    clock.now += BACK + LEASE_SECONDS + 1
    assert second.run_due() == 0


def test_the_log_is_whole_though_its_times_go_back_and_forth(world, clock, ann):
    for step in (0, -BACK, 3600, -3600):
        clock.now += step
        world.reset(ann, BOB, code="not one")
        assert_log_is_whole(world.runtime)


def test_resets_under_a_clock_that_jumps_are_whole(world, clock):
    people = [world.person(f"user{n}", totp=True) for n in range(24)]
    clients = [world.app.test_client() for _ in range(CLIENTS)]
    jumping = meanwhile(partial(jump, world, world.clock.now), 0.002)
    with jumping, ThreadPoolExecutor(CLIENTS) as pool:
        calls = [(client, person) for person in people for client in clients]
        found = Counter(pool.map(lambda call: reset_by_backup(*call), calls))
    assert found[200] == len(people)
    assert set(found) <= {200, 400, 401}
    assert not any(world.has_key(p) or world.tokens(p) for p in people)
    assert_log_is_whole(world.runtime)


def reset_by_backup(client, person):
    """One of several requests with the same code, which no clock makes wrong."""
    proof = {"x-2fa-code": person.backup_codes[0]}
    return client.post(RESET, headers=person.headers | proof).status_code


def jump(world, start):
    """The clock steps back or forward, and rows are sealed by it."""
    world.clock.now = start if world.clock.now < start else start - BACK
    world.runtime.sealer.seal()
