"""Several machines migrate one database at once, or while it serves."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event

import pytest
from sqlalchemy import create_engine, inspect, text

from e2ereset import get_e2ereset
from tests.kit.client import SET_KEYS
from tests.kit.databases import served_database
from tests.kit.live import PAIR, Live, at_once, make_live
from tests.kit.states import add_user

pytestmark = pytest.mark.slow


@pytest.fixture
def uri(served_on, tmp_path):
    with served_database(served_on) as uri:
        yield uri or f"sqlite:///{tmp_path}/e2ereset.sqlite3"


def upgrade(live, number):
    """That many migrations, started together."""
    ended = at_once([partial(live.run_cli, "db", "upgrade")] * number)
    assert [done.returncode for done in ended] == [0] * number, ended


@contextmanager
def traffic(live, users):
    """Each user stores a key pair again and again; what was answered."""
    statuses, over = [], Event()

    def store(user):
        while not over.is_set():
            statuses.append(live.call("POST", SET_KEYS, user.headers, PAIR).status)

    with ThreadPoolExecutor(len(users)) as pool:
        for user in users:
            pool.submit(store, user)
        yield statuses
        over.set()


def test_of_three_migrations_at_once_one_does_it_and_all_end_well(uri, tmp_path):
    live = Live(tmp_path, uri)
    upgrade(live, 3)
    engine = create_engine(uri)
    with engine.connect() as connection:
        versions = connection.execute(text("SELECT count(*) FROM alembic_version")).scalar()
        table = "e2ereset_role_permissions"
        grants = connection.execute(text(f"SELECT permission, role FROM {table}")).all()
        assert inspect(connection).has_table("waiting_for_keys")
    engine.dispose()
    assert versions == 1
    assert len(grants) == len(set(grants)) > 0
    assert live.run_cli("permission", "list").returncode == 0


def test_a_migration_with_nothing_to_do_holds_up_no_traffic(uri, tmp_path):
    with make_live(tmp_path, uri) as live, live.app() as app:
        users = [add_user(get_e2ereset(app), f"user{n}") for n in range(4)]
        with traffic(live, users) as statuses:
            upgrade(live, 2)
        assert set(statuses) == {200}
        assert len(statuses) > len(users)
