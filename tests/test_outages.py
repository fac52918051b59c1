"""What the log says when the server cannot work: one line, and what to do."""

import logging

import pytest

from e2ereset import get_e2ereset
from e2ereset.outages import outage

LOGIN = {"user": "bob", "password": "pw"}
HEADERS = {"X-User-Id": "bob", "X-Auth-Token": "token"}


@pytest.fixture
def lines(caplog):
    """The lines that are logged as errors."""
    caplog.set_level(logging.INFO)
    return lambda: [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_a_database_that_was_not_migrated_is_one_line(make_server, config, lines):
    client = make_server(config).test_client()
    assert client.post("/api/v1/login", json=LOGIN).status_code == 503
    assert client.get("/api/v1/me", headers=HEADERS).status_code == 503
    (first, second) = lines()
    assert first == second
    assert "Answered 503: The database lacks a table or a column. Run `e2ereset db upg" in first
    assert "\n" not in first


def test_a_redis_that_is_gone_is_one_line(make_server, config, engine, lines):
    store = {"RATELIMIT_ENABLED": True, "RATELIMIT_STORAGE_URI": "redis://127.0.0.1:1/0"}
    client = make_server(config | store).test_client()
    assert client.post("/api/v1/login", json=LOGIN).status_code == 503
    (line,) = lines()
    assert line.startswith("Answered 503: The store of request rates (RATELIMIT_STORAGE_URI) is")
    assert "\n" not in line


def test_a_database_that_is_gone_is_one_line(make_server, config, lines):
    uri = "postgresql+psycopg://nobody:hunter2@127.0.0.1:1/x"
    client = make_server(config | {"SQLALCHEMY_DATABASE_URI": uri}).test_client()
    assert client.get("/api/v1/me", headers=HEADERS).status_code == 503
    (line,) = lines()
    assert line.startswith("Answered 503: The database does not do its work (OperationalError)")
    assert "hunter2" not in line


def test_a_bug_is_told_with_where_it_was(app, monkeypatch, lines):
    monkeypatch.setattr(type(get_e2ereset(app).transactions), "engine", property(lambda _: 1 / 0))
    assert app.test_client().get("/api/v1/me", headers=HEADERS).status_code == 503
    (line,) = lines()
    assert "ZeroDivisionError" in line
    assert "\n" in line


def test_other_faults_are_no_outages():
    assert outage(ValueError("x")) is None
