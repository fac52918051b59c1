"""`doctor` before real servers that are set up badly: PostgreSQL and Redis of our own."""

import pytest

from tests.kit.doctor import ANYWHERE, ask
from tests.kit.postgres import execute, fresh_database, own_postgres
from tests.kit.redis import Redis

pytestmark = pytest.mark.slow
PASSWORD = "redis-Pa55w0rd"


@pytest.fixture(scope="module")
def postgres():
    """A cluster that is fit for production, but for its number of connections."""
    with own_postgres("max_connections=20") as server:
        server.execute("CREATE ROLE plain LOGIN")
        yield server


@pytest.fixture
def ask_at(make):
    """Runs `doctor` on a server with this database, and closes its connections."""

    def run(uri, *args, **changes):
        app = make(SQLALCHEMY_DATABASE_URI=uri, **changes)
        report = ask(app, "--no-mail", *args)
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()
        return report

    return run


@pytest.fixture
def examine(postgres, ask_at):
    """Runs `doctor` on an empty database of that cluster, as `user`."""

    def run(*args, host="127.0.0.1", user="plain", alter=None, **changes):
        with fresh_database(postgres.uri()) as uri:
            if alter:
                execute(postgres.uri(), f"ALTER DATABASE {uri.rpartition('/')[2]} SET {alter}")
            return ask_at(uri.replace("postgres@127.0.0.1", f"{user}@{host}"), *args, **changes)

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


def test_an_encoding_that_can_not_hold_every_name_is_found(postgres, ask_at):
    postgres.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    assert ask_at(postgres.uri("latin")).level("encoding") == "error"


def test_a_standby_is_found(ask_at):
    with own_postgres() as server:
        server.stop()
        (server.data / "standby.signal").touch()
        server.start()
        assert ask_at(server.uri()).level("database-standby") == "error"


LIMITER = {"redis-open", "redis-in-clear", "redis-evicts", "limiter-store-gone"}
LOCKED = ["--requirepass", PASSWORD]
SMALL = ["--maxmemory", "10mb", "--maxmemory-policy", "allkeys-lru"]


@pytest.mark.parametrize(
    ("options", "host", "codes"),
    [
        (LOCKED, f":{PASSWORD}@127.0.0.1", []),
        (LOCKED, "127.0.0.1", ["limiter-store-gone"]),
        ([], ANYWHERE, ["redis-in-clear", "redis-open"]),
        (SMALL, "127.0.0.1", ["redis-evicts"]),
    ],
)
def test_what_is_wrong_with_a_redis_is_found(make, engine, tmp_path, options, host, codes):
    with Redis(tmp_path, options=options).running() as server:
        app = make(RATELIMIT_STORAGE_URI=f"redis://{host}:{server.port}/0")
        report = ask(app, "--no-mail", "--machines", "2")
        app.extensions["e2ereset"].gates.rates.limiter.storage.storage.close()
    assert sorted(report.bad & LIMITER) == codes
