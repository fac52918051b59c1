"""The database under the tests: SQLite files, or the PostgreSQL of E2ERESET_TEST_DATABASE."""

import os
import shutil
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import create_engine, make_url

from e2ereset.permissions import seed
from e2ereset.server.database import tune
from e2ereset.server.roles.seeds import seed as seed_server
from e2ereset.server.tables import Base as ServerBase
from e2ereset.store.tables import Base
from tests.kit.postgres import QUICK, VARIABLE, WAY, execute, fresh_database, own_postgres

SERVER = os.environ.get(VARIABLE)
ON_POSTGRESQL = SERVER is not None
only_sqlite = pytest.mark.skipif(ON_POSTGRESQL, reason="PostgreSQL does not take it")
only_postgresql = pytest.mark.skipif(not ON_POSTGRESQL, reason="it is about PostgreSQL")
only_direct = pytest.mark.skipif(
    os.environ.get(WAY, "") in ("pgbouncer", "search_path"),
    reason="it is about PostgreSQL with options of its own",
)


@contextmanager
def new_database(folder, name="test", template=None):
    """The address of an empty database, or of a copy of another; it is gone after the block."""
    if not ON_POSTGRESQL:
        path = f"{folder / name}.sqlite3"
        if template:
            shutil.copyfile(make_url(template).database, path)
        yield f"sqlite:///{path}"
        return
    with fresh_database(SERVER, make_url(template).database if template else "template0") as uri:
        yield uri


def _leave(uri):
    """Have nobody use it: PostgreSQL copies no database that is in use, by a pooler for example."""
    if ON_POSTGRESQL:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        execute(SERVER, f"{ended}'{make_url(uri).database}'")


def fill(engine):
    """Make all tables, and the first roles and permissions."""
    Base.metadata.create_all(engine)
    ServerBase.metadata.create_all(engine)
    with engine.begin() as connection:
        seed(connection)
        seed_server(connection)


@contextmanager
def made_template(folder, fill):
    with new_database(folder) as uri:
        engine = tune(create_engine(uri))
        fill(engine)
        engine.dispose()
        _leave(uri)
        yield uri


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """The address of a database with all tables and the first roles, for copies of it."""
    with made_template(tmp_path_factory.mktemp("template"), fill) as uri:
        yield uri


@pytest.fixture(scope="session")
def host_template(tmp_path_factory):
    """The address of a database with the tables of the library alone, for copies of it."""
    folder = tmp_path_factory.mktemp("host_template")
    with made_template(folder, Base.metadata.create_all) as uri:
        yield uri


@pytest.fixture(scope="session")
def postgres_uri():
    """The address of a PostgreSQL: that of E2ERESET_TEST_DATABASE, or one of our own."""
    if ON_POSTGRESQL:
        yield SERVER
        return
    with own_postgres(*QUICK, "max_connections=200") as server:
        yield server.uri()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def served_on(request):
    """Where a server beside the tests keeps its data: each kind in turn, None for SQLite."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_uri")


@contextmanager
def served_database(server):
    """The address of an empty database there; None for the SQLite file of the instance folder."""
    if server is None:
        yield None
        return
    with fresh_database(server) as uri:
        yield uri


@pytest.fixture
def make_database(tmp_path):
    """Makes databases, by name; the address of the one that has the name already."""
    made = {}
    with ExitStack() as stack:

        def make(name="test", template=None):
            if name not in made:
                made[name] = stack.enter_context(new_database(tmp_path, name, template))
            return made[name]

        yield make


@pytest.fixture
def database_uri(request, make_database):
    """The address of the test's database: empty, but with all tables for `engine` and `desk`."""
    filled = not {"engine", "desk"}.isdisjoint(request.fixturenames)
    return make_database(template=request.getfixturevalue("template") if filled else None)


@pytest.fixture
def connect(database_uri):
    """Makes engines on the test's database, each with its own connections."""
    engines = []

    def connect():
        level = {"isolation_level": "READ COMMITTED"} if ON_POSTGRESQL else {}  # as ours
        engines.append(tune(create_engine(database_uri, **level)))
        return engines[-1]

    yield connect
    for engine in engines:
        engine.dispose()
