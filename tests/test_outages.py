"""What the log says when the server cannot work: one line, and what to do."""

import logging

import pytest

from e2ereset import get_e2ereset
from e2ereset.outages import outage
from tests.kit.client import LOGIN, ME

HEADERS = {"X-User-Id": "bob", "X-Auth-Token": "token"}


@pytest.fixture
def lines(caplog):
    """The lines that are logged as errors."""
    caplog.set_level(logging.INFO)
    return lambda: [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


NO_REDIS = {"RATELIMIT_ENABLED": True, "RATELIMIT_STORAGE_URI": "redis://:hunter2@127.0.0.1:1/0"}
GONE = {"SQLALCHEMY_DATABASE_URI": "postgresql+psycopg://nobody:hunter2@127.0.0.1:1/x"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "The database lacks a table or a column. Run `e2ereset db upgrade`"),
        (NO_REDIS, "The store of request rates (RATELIMIT_STORAGE_URI) is"),
        (GONE, "The database does not do its work (OperationalError)"),
    ],
)
def test_an_outage_is_one_line_without_a_secret(make_server, config, lines, changes, words):
    client = make_server(config | changes).test_client()
    assert client.post(LOGIN, json={"user": "bob", "password": "pw"}).status_code == 503
    (line,) = lines()
    assert line.startswith(f"Answered 503: {words}")
    assert "hunter2" not in line
    assert "\n" not in line


def test_a_bug_is_told_with_where_it_was(app, monkeypatch, lines):
    monkeypatch.setattr(type(get_e2ereset(app).transactions), "single", lambda _: 1 / 0)
    assert app.test_client().get(ME, headers=HEADERS).status_code == 503
    (line,) = lines()
    assert "ZeroDivisionError" in line
    assert "\n" in line


def test_other_faults_are_no_outages():
    assert outage(ValueError("x")) is None
