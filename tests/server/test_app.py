"""The server as an app: where its settings come from, its key, its database, its errors."""

import os
import stat
import subprocess
import sys

import pytest
from flask import request
from sqlalchemy import text

from e2ereset import get_e2ereset
from e2ereset.errors import SettingsError
from e2ereset.server import database
from e2ereset.server.sessions.service import current_sessions
from e2ereset.server.tables import db
from tests.kit.databases import only_direct, only_postgresql, only_sqlite
from tests.kit.live import at_once
from tests.kit.postgres import execute
from tests.kit.rows import row

SPARED = {
    *("alembic", "flask_migrate", "prometheus_client", "psycopg", "redis", "e2ereset.mail.mailman"),
    *("e2ereset.cli.groups", "e2ereset.doctor", "e2ereset.upkeep.rotation", "e2ereset.testing"),
    *("e2ereset.upkeep.retention", "e2ereset.server.cli", "e2ereset.server.demo"),
}
"""What a worker on SQLite need not load: of commands, and of what it was not told to use."""


@pytest.fixture
def instance(make_server, tmp_path):
    return tmp_path / "instance"


def keys_of(app):
    return get_e2ereset(app).settings.secret_keys


def test_the_database_is_in_the_instance_folder(make_server, instance):
    with make_server({"TESTING": True}).app_context():
        assert db.engine.url.database == f"{instance}/e2ereset.sqlite3"


def test_the_instance_folder_is_beside_the_working_folder_by_default(
    make_server, instance, monkeypatch
):
    monkeypatch.delenv("E2ERESET_INSTANCE")
    monkeypatch.chdir(instance.parent)
    assert make_server({"TESTING": True}).instance_path == str(instance)


def test_what_is_passed_wins_over_the_environment_and_that_over_the_file(
    make_server, instance, monkeypatch
):
    def workspace(**config):
        return get_e2ereset(make_server({"TESTING": True, **config})).settings.workspace

    (instance / "config.py").write_text("E2ERESET_WORKSPACE = 'of the file'")
    assert workspace() == "of the file"
    monkeypatch.setenv("FLASK_E2ERESET_WORKSPACE", "of the environment")
    assert workspace() == "of the environment"
    assert workspace(E2ERESET_WORKSPACE="passed") == "passed"


def test_a_key_is_made_at_the_first_start_and_kept(make_server, instance):
    first, second = make_server({"TESTING": True}), make_server({"TESTING": True})
    path = instance / "secret_key"
    assert keys_of(first) == keys_of(second) == (path.read_text(),)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in instance.glob("secret_key*")] == ["secret_key"]


def test_workers_that_start_at_once_agree_on_the_key(make_server, instance):
    apps = at_once([lambda: make_server({"TESTING": True})] * 4)
    assert len({keys_of(app) for app in apps}) == 1


def test_no_key_is_made_where_one_is_set(make_server, instance):
    make_server({"TESTING": True, "E2ERESET_SECRET_KEYS": ["a key for tests only"]})
    assert not (instance / "secret_key").exists()


@row("12.v4.2.4.4")
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"E2ERESET_SERVER_BCRYPT_COST": 17}, "from 4 to 16"),
        ({"E2ERESET_SERVER_BCRYPT_COST": 9, "TESTING": False}, "10 or more"),
        ({"E2ERESET_SERVER_TOKEN_DAYS": 366}, "from 1 to 365"),
        ({"E2ERESET_SERVER_TOKEN_DAYS": "90"}, "of type int"),
        ({"E2ERESET_SERVER_PROXY_HOPS": 6}, "from 0 to 5"),
        ({"E2ERESET_SERVER_TRUST_REQUEST_ID": True}, "PROXY_HOPS"),  # not without a proxy
        ({"E2ERESET_SERVER_COLOUR": "red"}, "is not a setting. Known: .*BCRYPT_COST"),
    ],
)
def test_an_unsafe_or_unknown_setting_refuses_to_start(make_server, config, setting, words):
    with pytest.raises(SettingsError, match=words):
        make_server({**config, **setting})


def test_the_life_of_a_sign_in_is_a_setting(make_server, config):
    app = make_server({**config, "E2ERESET_SERVER_TOKEN_DAYS": 7})
    assert current_sessions(app).settings.token_seconds == 7 * 86400


def test_errors_of_the_database_hide_values_whatever_its_options(make_server, config):
    config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_recycle": 60}
    with make_server(config).app_context():
        assert db.engine.hide_parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SQLALCHEMY_DATABASE_URI", "postgres://x:hunter2@127.0.0.1/x"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql+nodriver://x:hunter2@127.0.0.1/x"),
        ("SQLALCHEMY_DATABASE_URI", "hunter2"),
        ("RATELIMIT_STORAGE_URI", "reddis://:hunter2@127.0.0.1/0"),
    ],
)
def test_an_address_that_can_not_be_used_is_told_without_its_password(
    make_server, config, name, value
):
    with pytest.raises(SettingsError, match=name) as caught:
        make_server(config | {"RATELIMIT_ENABLED": True, name: value})
    assert "hunter2" not in str(caught.value)


@only_postgresql
def test_postgresql_ends_what_takes_too_long(app):
    limits = {"statement_timeout": "10s", "lock_timeout": "5s"}
    limits["idle_in_transaction_session_timeout"] = "30s"
    with app.app_context(), db.engine.connect() as connection:
        assert {name: connection.scalar(text(f"SHOW {name}")) for name in limits} == limits
        assert db.engine.pool.size() == 8


@only_direct
@only_postgresql
def test_an_idle_connection_that_died_is_replaced_before_it_serves(app, monkeypatch):
    monkeypatch.setattr(database, "IDLE_SECONDS", 0.0)
    with app.app_context():
        with db.engine.connect() as connection:
            dead = connection.scalar(text("SELECT pg_backend_pid()"))
        execute(db.engine.url, f"SELECT pg_terminate_backend({dead})")
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT pg_backend_pid()")) != dead


@only_sqlite
def test_sqlite_is_tuned(app):
    pragmas = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10_000, "foreign_keys": 1}
    with app.app_context(), db.engine.connect() as connection:
        found = {name: connection.scalar(text(f"PRAGMA {name}")) for name in pragmas}
    assert found == pragmas


@pytest.mark.parametrize(
    ("hops", "given", "seen"),
    [
        (0, "1.1.1.1, 9.9.9.9", "127.0.0.1"),
        (2, "1.1.1.1, 9.9.9.9", "1.1.1.1"),
        (2, "6.6.6.6", "127.0.0.1"),
    ],
)
def test_a_forwarded_address_counts_for_the_proxies_that_are_there(
    make_server, config, hops, given, seen
):
    app = make_server({**config, "E2ERESET_SERVER_PROXY_HOPS": hops})
    app.add_url_rule("/address", "address", lambda: request.remote_addr)
    assert app.test_client().get("/address", headers={"X-Forwarded-For": given}).text == seen


@pytest.mark.slow
def test_a_worker_loads_nothing_that_only_commands_need(tmp_path):
    own = {"E2ERESET_INSTANCE": str(tmp_path), "FLASK_SECRET_KEY": "a key for tests only"}
    code = "import sys, e2ereset.server.wsgi; print(*sys.modules)"
    command, env = [sys.executable, "-c", code], {**os.environ, **own}
    loaded = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, timeout=60)
    assert SPARED & set(loaded.stdout.decode().split()) == set()
