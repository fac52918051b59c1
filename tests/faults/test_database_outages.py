"""The database goes away under a server at work, and comes back: 503 meanwhile, nothing half."""

import pytest

from e2ereset.server.tables import db
from tests.kit import outages
from tests.kit.aftermath import assert_all_reset, wait_until_served
from tests.kit.client import RESET
from tests.kit.load import Load
from tests.kit.network import wait_for
from tests.kit.states import add_users

pytestmark = pytest.mark.slow

USERS = 120
GONE = [outages.shut_down, outages.crashed, outages.killed, outages.out_of_connections]
READ_ONLY = [outages.read_only_by_configuration, outages.read_only_standby]


def suffer(live, postgres, outage, probes):
    """An outage under load; while it lasts, every probe is answered with 503."""
    with live.app() as app:
        users = add_users(app, USERS + 1)
    witness, users = users[0], users[1:]
    load = Load(live, users)
    load.start()
    wait_for(lambda: load.done > USERS // 10, "resets under way")
    with outage(postgres, outages.database_of(live)):
        wait_for(lambda: load.unavailable, "the outage to be felt")
        calls = [call for probe in probes for call in probe(live, witness)]
        outages.assert_all_unavailable(calls)
    load.join()
    wait_until_served(live, witness)
    assert_all_reset(live, users, load)


@pytest.mark.parametrize("outage", GONE)
def test_a_database_that_is_gone_means_503_and_comes_back_by_itself(live, postgres, outage):
    suffer(live, postgres, outage, [outages.writes, outages.reads])


@pytest.mark.parametrize("outage", READ_ONLY)
def test_a_read_only_database_means_503_to_all_that_writes(live, postgres, outage):
    suffer(live, postgres, outage, [outages.writes])


def test_too_few_connections_make_some_wait_and_nobody_fail_for_good(live, postgres):
    with live.app() as app:
        users = add_users(app, USERS)
    with outages.out_of_connections(postgres, outages.database_of(live), left=3):
        load = Load(live, users)
        load.start()
        load.join()
    assert load.unavailable
    assert_all_reset(live, users, load)


def test_one_connection_serves_who_come_one_by_one(live, postgres):
    live.stop()
    with live.app() as app:
        users = add_users(app, 3)
        with db.engine.connect(), db.engine.connect():
            pass  # the pool has two of them now
        with outages.out_of_connections(postgres, outages.database_of(live), left=1):
            statuses = [reset(app, user) for user in [*users[:1], *users]]
    # The first to come finds out that all connections are lost.
    assert statuses == [503, 200, 200, 200]


def reset(app, user):
    headers = user.headers | {"x-2fa-code": user.totp.now()}
    return app.test_client().post(RESET, headers=headers).status_code
