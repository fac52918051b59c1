"""What is counted, and what is not."""

import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from e2ereset.jobs.models import Job
from e2ereset.metrics import make_meter
from e2ereset.metrics.meter import UNCOUNTED
from e2ereset.metrics.prometheus import prometheus_meter
from e2ereset.operations.routes import operations_of
from tests.kit.client import RESET
from tests.kit.world import break_table, sha256

TOKEN = "a token for tests only"


@pytest.fixture
def config(config):
    return {**config, "E2ERESET_OPERATIONS_TOKEN": TOKEN}


@pytest.fixture
def samples(world):
    """The samples of /metrics: their values by (name, *values of labels)."""

    def read():
        answer = world.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer.content_type.startswith("text/plain")
        families = text_string_to_metric_families(answer.text)
        found = [sample for family in families for sample in family.samples]
        return {(s.name, *s.labels.values()): s.value for s in found}

    return read


def test_requests_are_counted_by_route_and_status(world, samples):
    world.client.post(RESET)
    assert samples()["e2ereset_requests_total", RESET, "401"] == 1
    assert samples()["e2ereset_request_seconds_count", RESET] == 1


def test_paths_that_are_no_route_are_one(world, samples):
    for path in ("/a", "/b", "/api/v1/c"):
        world.client.get(path)
    assert samples()["e2ereset_requests_total", "none", "404"] == 3


def test_proofs_are_counted_by_method_and_outcome(world, bob, samples):
    for code in (None, "000000", world.code(bob)):
        world.reset(bob, code=code)
    found = samples()
    for outcome in ("totp-required", "totp-invalid", "passed"):
        assert found["e2ereset_second_factor_total", "totp", outcome] == 1


def test_spent_budgets_are_counted_by_purpose(world, bob, samples):
    world.wrong(bob, 7)
    assert samples()["e2ereset_budget_refusals_total", "verify:totp"] == 2
    assert samples()["e2ereset_second_factor_total", "totp", "totp-max-attempts"] == 2


def test_resets_are_counted_by_whose_and_what(world, admin, bob, samples):
    for _ in range(2):
        world.reset(admin, {"username": "bob"}, code=world.code(admin))
        world.clock.now += 30
    world.reset(admin, code=world.code(admin))
    found = samples()
    assert found["e2ereset_resets_total", "reset", "other"] == 1
    assert found["e2ereset_resets_total", "nothing-to-reset", "other"] == 1
    assert found["e2ereset_resets_total", "reset", "own"] == 1


def test_password_hashes_are_timed(world, samples):
    world.person("ada", password="pw")
    for name in ("ada", "nobody"):
        world.login(name)
    assert samples()["e2ereset_password_hash_seconds_count",] == 2


def test_queues_are_measured_when_asked(world, bob, samples):
    world.reset(bob, code=world.code(bob))
    world.clock.now += 90
    found = samples()
    assert found["e2ereset_outbox_mails",] == len(world.rows(Job))
    assert found["e2ereset_outbox_oldest_seconds",] == 90
    assert found["e2ereset_audit_unsealed_rows",] == 1
    assert found["e2ereset_database_up",] == 1


def test_counts_are_told_while_the_database_is_gone(world, samples, engine):
    world.client.post(RESET)
    break_table(engine, "e2ereset_outbox")
    found = samples()
    assert found["e2ereset_database_up",] == 0
    assert found["e2ereset_requests_total", RESET, "401"] == 1


def test_no_name_or_code_is_a_label(world, samples):
    ada = world.person("ada", totp=True, password="pw")
    world.login("ada", {"digest": sha256("pw")})
    world.reset(ada, code="123456", method="stranger")
    labels = {label for _, *labels in samples() for label in labels}
    assert labels.isdisjoint({"ada", ada.id, "123456", "stranger", "127.0.0.1"})


def test_nothing_is_counted_by_default(make_server, config):
    del config["E2ERESET_OPERATIONS_TOKEN"]
    app = make_server(config)
    assert operations_of(app).meter is UNCOUNTED
    assert not [f for f in app.after_request_funcs[None] if "operations" in f.__module__]


def test_without_prometheus_client_only_the_metrics_are_missing(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "e2ereset.metrics.prometheus", raising=False)
    assert make_meter(True) is UNCOUNTED
    assert "install e2ereset[metrics]" in caplog.text


def test_two_apps_share_one_meter_where_workers_count_in_files(monkeypatch, tmp_path):
    assert prometheus_meter() is not prometheus_meter()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert prometheus_meter() is prometheus_meter()
