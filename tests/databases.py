"""The database under the tests: SQLite files, or the PostgreSQL of E2ERESET_TEST_DATABASE."""

import os
from contextlib import ExitStack, contextmanager

import pytest
from postgres import QUICK, VARIABLE, fresh_database, own_postgres
from sqlalchemy import create_engine

from e2ereset.server.database import tune

SERVER = os.environ.get(VARIABLE)
ON_POSTGRESQL = SERVER is not None
only_sqlite = pytest.mark.skipif(ON_POSTGRESQL, reason="PostgreSQL does not take it")
only_postgresql = pytest.mark.skipif(not ON_POSTGRESQL, reason="it is about PostgreSQL")


@contextmanager
def new_database(folder, name="test"):
    """The address of an empty database, which is gone after the block."""
    if not ON_POSTGRESQL:
        yield f"sqlite:///{folder / name}.sqlite3"
        return
    with fresh_database(SERVER) as uri:
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
    """Makes empty databases, by name; the address of the one that has the name already."""
    made = {}
    with ExitStack() as stack:

        def make(name="test"):
            if name not in made:
                made[name] = stack.enter_context(new_database(tmp_path, name))
            return made[name]

        yield make


@pytest.fixture
def database_uri(make_database):
    """The address of an empty database."""
    return make_database()


@pytest.fixture
def connect(database_uri):
    """Makes engines on the test's database, each with its own connections."""
    engines = []

    def connect():
        engines.append(tune(create_engine(database_uri)))
        return engines[-1]

    yield connect
    for engine in engines:
        engine.dispose()
