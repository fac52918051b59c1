"""A PgBouncer in transaction mode between the server and PostgreSQL (K7)."""

import pytest
from sqlalchemy import make_url

from e2ereset import get_e2ereset
from e2ereset.server.tables import db
from tests.kit.live import at_once
from tests.kit.pgbouncer import own_pgbouncer
from tests.kit.postgres import execute, fresh_database
from tests.kit.server import migrate

pytestmark = pytest.mark.slow


@pytest.fixture(params=[("transaction", 3), ("session", 20)], ids=str)
def uri(request, postgres_uri):
    """The address of an empty database behind a PgBouncer, of a mode, with so many connections."""
    with (
        fresh_database(postgres_uri) as direct,
        own_pgbouncer(postgres_uri, *request.param) as pooled,
    ):
        yield make_url(direct).set(port=make_url(pooled).port).render_as_string(False)


@pytest.fixture
def server(make_server, config, uri):
    """A server whose migrations have run there."""
    return migrate(make_server(config | {"SQLALCHEMY_DATABASE_URI": uri}))


def test_statements_that_many_threads_repeat_are_not_mixed_up(server):
    runtime = get_e2ereset(server)

    def look():
        for _ in range(40):  # from the fifth time on, psycopg would prepare them
            with runtime.transactions.begin() as session:
                runtime.accounts.find(session, "nobody")
        return "done"

    assert at_once([look] * 8) == ["done"] * 8


def test_our_limits_are_set_after_connecting(server):
    with server.app_context(), db.engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "5s"


def test_doctor_tells_how_limits_hold_behind_it(server, uri, postgres_uri):
    run = server.test_cli_runner().invoke
    assert "pooler-without-limits" in run(args=["doctor", "--no-mail"]).output
    name = uri.rpartition("/")[2]
    execute(postgres_uri, f"ALTER DATABASE {name} SET statement_timeout = '10s'")
    with server.app_context():
        db.engine.dispose()
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
    execute(postgres_uri, f"{ended}'{name}'")
    assert "pooler-without-limits" not in run(args=["doctor", "--no-mail"]).output
