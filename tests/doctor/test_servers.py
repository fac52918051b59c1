"""`doctor` before real servers that are set up badly: PostgreSQL and Redis of our own."""

import subprocess
import time

import pytest
import redis

from tests.kit.doctor import ANYWHERE, PRODUCTION, ask
from tests.kit.network import free_port, wait_for
from tests.kit.postgres import execute, fresh_database, make_postgres

pytestmark = pytest.mark.slow
PASSWORD = "redis-Pa55w0rd"


def open_folder(tmp_path_factory):
    """A folder that the user postgres gets to."""
    folder = tmp_path_factory.mktemp("postgres")
    for parent in (folder, *folder.parents[:2]):
        if not parent.stat().st_mode & 0o001:  # never /dev/shm, where other users have files too
            parent.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """A cluster that is fit for production, but for its number of connections."""
    folder = open_folder(tmp_path_factory)
    with make_postgres(folder / "cluster", "max_connections=20") as server:
        server.execute("CREATE ROLE plain LOGIN")
        yield server


@pytest.fixture
def examine(postgres, make_server, config, clock):
    """Runs `doctor` on an empty database of that cluster, as `user`."""

    def run(*args, host="127.0.0.1", user="plain", alter=None, **changes):
        with fresh_database(postgres.uri()) as uri:
            if alter:
                execute(postgres.uri(), f"ALTER DATABASE {uri.rpartition('/')[2]} SET {alter}")
            uri = uri.replace("postgres@127.0.0.1", f"{user}@{host}")
            facts = {"MAIL_PORT": free_port(), "SQLALCHEMY_DATABASE_URI": uri}
            app = make_server(config | PRODUCTION | facts | changes)
            clock.now = time.time()
            report = ask(app, "--no-mail", *args)
            with app.app_context():
                app.extensions["sqlalchemy"].engine.dispose()
            return report

    return run


def test_a_postgresql_that_is_fit_gives_no_finding_of_its_own(examine):
    assert examine().bad == {"schema-incomplete", "migrations-behind"}


@pytest.mark.parametrize(
    ("code", "level", "options"),
    [
        ("superuser", "warning", {"user": "postgres"}),
        ("database-in-clear", "warning", {"host": ANYWHERE}),
        ("not-durable", "error", {"alter": "synchronous_commit = off"}),
        ("pool-small", "warning", {"E2ERESET_SERVER_DATABASE_CONNECTIONS": 3}),
        (
            "statement-timeout-unset",
            "warning",
            {"SQLALCHEMY_ENGINE_OPTIONS": {"connect_args": {"options": "-cstatement_timeout=0"}}},
        ),
    ],
)
def test_what_is_wrong_with_a_connection_is_found(examine, code, level, options):
    assert examine(**options).level(code) == level


def test_more_workers_than_connections_are_found(examine):
    assert examine("--workers", "4").level("connections-short") == "warning"


def test_an_encoding_that_can_not_hold_every_name_is_found(postgres, make_server, config):
    postgres.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    app = make_server(config | PRODUCTION | {"SQLALCHEMY_DATABASE_URI": postgres.uri("latin")})
    assert ask(app, "--no-mail").level("encoding") == "error"


@pytest.fixture
def make_redis(tmp_path):
    """Starts Redis servers, each ended by its id."""
    started = []

    def make(*options, password=None):
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--requirepass", password] if password else []
        started.append(
            subprocess.Popen([*command, *options], cwd=tmp_path, stdout=subprocess.DEVNULL)
        )
        wait_for(lambda: answers(port, password), "Redis to answer")
        return port

    yield make
    for process in started:
        process.terminate()
        process.wait(30)


def answers(port, password):
    try:
        with redis.Redis(port=port, password=password) as client:
            return client.ping()
    except redis.ConnectionError:
        return False


@pytest.fixture
def ask_redis(make_server, config, engine, clock):
    """Runs `doctor` on a server whose rates are counted at this address."""

    def run(uri):
        clock.now = time.time()
        app = make_server(config | PRODUCTION | {"RATELIMIT_STORAGE_URI": uri})
        report = ask(app, "--no-mail", "--machines", "2")
        app.extensions["e2ereset"].limiter.storage.storage.close()
        return report

    return run


LIMITER = {"redis-open", "redis-in-clear", "redis-evicts", "limiter-store-gone"}


def test_a_redis_that_is_fit_gives_no_finding(make_redis, ask_redis):
    port = make_redis(password=PASSWORD)
    report = ask_redis(f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
    assert report.bad & LIMITER == set()
    assert report.level("limiter") == "ok"


def test_a_redis_that_others_reach_is_found(make_redis, ask_redis):
    port = make_redis("--protected-mode", "no")
    report = ask_redis(f"redis://{ANYWHERE}:{port}/0")
    assert report.bad & LIMITER == {"redis-open", "redis-in-clear"}


def test_a_redis_that_drops_counters_is_found(make_redis, ask_redis):
    port = make_redis("--maxmemory", "10mb", "--maxmemory-policy", "allkeys-lru")
    assert ask_redis(f"redis://127.0.0.1:{port}/0").bad & LIMITER == {"redis-evicts"}


def test_a_wrong_password_is_a_store_that_is_gone(make_redis, ask_redis):
    port = make_redis(password=PASSWORD)
    report = ask_redis(f"redis://127.0.0.1:{port}/0")
    assert report.bad & LIMITER == {"limiter-store-gone"}


def test_a_standby_is_found(tmp_path_factory, make_server, config):
    folder = open_folder(tmp_path_factory)
    with make_postgres(folder / "cluster") as server:
        server.stop()
        (server.data / "standby.signal").touch()
        server.start()
        app = make_server(config | PRODUCTION | {"SQLALCHEMY_DATABASE_URI": server.uri()})
        assert ask(app, "--no-mail").level("database-standby") == "error"
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()
