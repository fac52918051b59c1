"""The database goes away under a server at work, and comes back: 503 meanwhile, nothing half."""

import pytest

from tests.kit import outages
from tests.kit.aftermath import assert_all_reset, wait_until_served
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
    outages.limit_connections(postgres, 3)
    outages.end_connections(postgres, outages.database_of(live))
    load = Load(live, users)
    load.start()
    load.join()
    outages.limit_connections(postgres, -1)
    assert load.unavailable
    assert_all_reset(live, users, load)
