"""What the operator writes about the database wins over what the server would choose (K7)."""

import pytest
from sqlalchemy import NullPool, text

from e2ereset.errors import SettingsError
from e2ereset.server.database import engine_options
from e2ereset.server.tables import db
from tests.kit.databases import only_direct, only_postgresql, only_sqlite
from tests.kit.postgres import execute
from tests.kit.server import migrate

pytestmark = only_direct

LIMITS = {"statement_timeout": "10s", "lock_timeout": "5s"}
POSTGRES = "postgresql+psycopg://e2ereset@127.0.0.1/e2ereset"


def connect_args(uri=POSTGRES, given=None, **environ):
    return engine_options(uri, 8, given or {}, environ)["connect_args"]


@pytest.fixture
def show(make_server, config):
    """Makes a server, changed by its settings; what its connections are set to."""

    def settings(names, **changes):
        with make_server(config | changes).app_context(), db.engine.connect() as connection:
            return {name: connection.scalar(text(f"SHOW {name}")) for name in names}

    return settings


@pytest.fixture
def at(database_uri):
    """The address of the test's database with a query."""
    return lambda query: {"SQLALCHEMY_DATABASE_URI": f"{database_uri}?{query}"}


@only_postgresql
def test_a_search_path_in_the_address_is_kept_and_our_limits_hold(show, at):
    wanted = {"search_path": "chat", **LIMITS}
    assert show(wanted, **at("options=-csearch_path%3Dchat")) == wanted


@only_postgresql
def test_migrations_go_where_the_search_path_leads(make_server, config, at):
    execute(config["SQLALCHEMY_DATABASE_URI"], "CREATE SCHEMA chat")
    migrate(make_server(config | at("options=-csearch_path%3Dchat")))
    counted = "SELECT table_schema, count(*) > 20 FROM information_schema.tables"
    counted += " WHERE table_schema IN ('chat', 'public') GROUP BY 1"
    assert execute(config["SQLALCHEMY_DATABASE_URI"], counted) == [("chat", True)]


@only_postgresql
@pytest.mark.parametrize(
    "options", ["-cstatement_timeout=60s", "--statement-timeout=60s", "-c statement_timeout=60000"]
)
def test_a_limit_in_the_address_wins(show, at, options):
    found = show(LIMITS, **at(f"options={options.replace(' ', '%20').replace('=', '%3D')}"))
    assert found == {**LIMITS, "statement_timeout": "1min"}


@only_postgresql
def test_a_limit_in_the_engine_options_wins(show):
    given = {"connect_args": {"options": "-c statement_timeout=0", "application_name": "chat"}}
    wanted = LIMITS | {"statement_timeout": "0", "application_name": "chat"}
    assert show(wanted, SQLALCHEMY_ENGINE_OPTIONS=given) == wanted


@only_postgresql
def test_a_limit_of_the_role_wins(show, database_uri):
    name = database_uri.rpartition("/")[2]
    execute(database_uri, f"ALTER DATABASE {name} SET statement_timeout = '90s'")
    assert show(LIMITS) == {**LIMITS, "statement_timeout": "90s"}


@only_postgresql
def test_a_limit_in_the_environment_wins(show, monkeypatch):
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=70s")
    monkeypatch.setenv("PGAPPNAME", "chat")
    wanted = LIMITS | {"statement_timeout": "70s", "application_name": "chat"}
    assert show(wanted) == wanted


def test_what_the_address_says_of_the_connection_is_left_to_it():
    args = connect_args(f"{POSTGRES}?connect_timeout=60&application_name=chat&sslmode=require")
    assert not args.keys() & {"connect_timeout", "application_name", "sslmode", "options"}
    assert args["keepalives_idle"] == 10


def test_what_the_environment_says_of_the_connection_is_left_to_it():
    args = connect_args(PGCONNECT_TIMEOUT="60", PGAPPNAME="chat")
    assert not args.keys() & {"connect_timeout", "application_name"}


@pytest.mark.parametrize(
    ("uri", "environ"), [(f"{POSTGRES}?service=chat", {}), (POSTGRES, {"PGSERVICE": "chat"})]
)
def test_a_service_file_is_not_overruled(uri, environ):
    assert connect_args(uri, **environ) == {}


def test_what_the_engine_options_say_of_the_connection_wins():
    given = {"connect_args": {"connect_timeout": 9}}
    assert connect_args(given=given)["connect_timeout"] == 9


@only_postgresql
def test_a_pool_of_the_operators_choice_gets_none_of_our_numbers(make_server, config):
    given = {"SQLALCHEMY_ENGINE_OPTIONS": {"poolclass": NullPool}}
    with make_server(config | given).app_context(), db.engine.connect():
        assert isinstance(db.engine.pool, NullPool)


@pytest.mark.parametrize(
    ("options", "words"), [("pool_size=3", "must be a dictionary"), ({"colour": 1}, "colour")]
)
def test_engine_options_that_are_none_refuse_to_start(make_server, config, options, words):
    with pytest.raises(SettingsError, match=words):
        make_server(config | {"SQLALCHEMY_ENGINE_OPTIONS": options})


@only_sqlite
@pytest.mark.parametrize(
    ("query", "options"), [("?timeout=60", {}), ("", {"connect_args": {"timeout": 60}})]
)
def test_a_time_to_wait_for_sqlite_wins(make_server, config, query, options):
    config["SQLALCHEMY_DATABASE_URI"] += query
    config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    with make_server(config).app_context(), db.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA busy_timeout")) == 60_000
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
