"""Request rates whose store is gone: a Redis where nobody listens."""

import pytest

from e2ereset.factors.models import Budget
from tests.kit.client import ME, RESET
from tests.kit.network import free_port
from tests.kit.world import World


@pytest.fixture
def make_world(make_server, config, engine, session, clock):
    """Makes a server that is told what to do without the store."""

    def make(policy):
        gone = {"RATELIMIT_STORAGE_URI": f"redis://127.0.0.1:{free_port()}/0"}
        gone |= {"RATELIMIT_ENABLED": True, "E2ERESET_WITHOUT_RATE_STORE": policy}
        return World(make_server(config | gone), session, clock)

    return make


def statuses(world):
    """What a sign-in, a reset with a wrong code and a look at oneself are answered with."""
    client, headers = world.client, world.person("bob", key=False).headers
    reset, me = client.post(RESET, headers=headers), client.get(ME, headers=headers)
    return [answer.status_code for answer in (world.login("bob"), reset, me)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("guarded", [503, 503, 200]), ("refuse", [503, 503, 503]), ("allow", [401, 400, 200])],
)
def test_the_setting_says_who_is_refused(make_world, policy, expected):
    assert statuses(make_world(policy)) == expected


def test_a_refusal_says_when_to_come_back(make_world):
    answer = make_world("guarded").login("bob")
    assert answer.json == {"success": False, "error": "Service Unavailable"}
    assert answer.headers["Retry-After"] == "5"


def test_budgets_are_counted_without_it(make_world):
    world = make_world("allow")
    ann = world.person("ann", totp=True)
    assert world.reset(ann, code="000000").json["errorType"] == "totp-invalid"
    (budget,) = world.rows(Budget, account_id=ann.id, purpose="verify:totp")
    assert budget.count_1 == 1
