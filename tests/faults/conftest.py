"""A PostgreSQL that may be broken, and a server on it that is no superuser there."""

import pytest

from tests.kit.live import make_live
from tests.kit.postgres import fresh_database, own_postgres

# The processes die here, not the machine: what is committed is kept without fsync as well.
SETTINGS = (
    "fsync=off",
    "max_connections=60",
    "track_commit_timestamp=on",
    "deadlock_timeout=100ms",
)


@pytest.fixture(scope="session")
def postgres():
    with own_postgres(*SETTINGS) as server:
        server.execute("CREATE ROLE service LOGIN")
        yield server


@pytest.fixture
def service_uri(postgres):
    """An empty database that belongs to the role `service`, as operators make it."""
    with fresh_database(postgres.uri()) as uri:
        name = uri.rpartition("/")[2]
        postgres.execute(f"ALTER DATABASE {name} OWNER TO service")
        yield postgres.uri(name, "service")


@pytest.fixture
def live(service_uri, tmp_path):
    with make_live(tmp_path, service_uri) as live:
        yield live
