"""Request rates: their kinds, who may go over them, and a store that is gone."""

import time

import pytest

from e2ereset.factors.models import Budget
from tests.kit.client import ME, RESET, SET_KEYS
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


KINDS = {"E2ERESET_RATE_LIMIT": 1, "E2ERESET_RATE_LIMIT_WRITES": 2, "E2ERESET_RATE_LIMIT_READS": 3}
PAIR = {"public_key": "PUB", "private_key": "PRIV"}


@pytest.fixture
def limited(make_server, config, session, clock):
    """A server that lets one guarded request a minute pass, two writes and three reads."""
    rates = {key: f"{number} per minute" for key, number in KINDS.items()}
    return World(make_server(config | rates | {"RATELIMIT_ENABLED": True}), session, clock)


def passed(world, person, method, path, **options):
    """How many of five requests are not refused for their rate."""
    calls = [
        world.client.open(path, method=method, headers=person.headers, **options) for _ in range(5)
    ]
    return [answer.status_code for answer in calls].index(429)


def test_each_kind_of_route_has_a_rate_of_its_own(limited):
    bob = limited.person("bob", key=False)
    assert passed(limited, bob, "POST", RESET) == 1
    assert passed(limited, bob, "POST", SET_KEYS, json=PAIR) == 2
    assert passed(limited, bob, "GET", ME) == 3
    assert passed(limited, bob, "GET", "/api/v1/e2e.fetchMyKeys") == 3


def test_401_403_and_400_of_validation_do_not_consume_the_allowance(limited):
    bob, delete = limited.person("bob", key=False), "/api/v1/users.delete"
    for _ in range(5):
        assert limited.client.post(SET_KEYS, json=PAIR).status_code == 401
        assert limited.client.post(delete, headers=bob.headers, json={}).status_code == 403
        assert limited.client.post(SET_KEYS, headers=bob.headers, json={}).status_code == 400
    assert passed(limited, bob, "POST", SET_KEYS, json=PAIR) == 2


def test_a_write_that_brings_a_code_is_counted_as_guarded(limited):
    bob = limited.person("bob", key=False)
    bob.headers["x-2fa-code"] = "123456"
    assert passed(limited, bob, "POST", SET_KEYS, json=PAIR) == 1


def test_reset_header_is_the_end_of_the_window_in_milliseconds(limited):
    answer = limited.client.get(ME, headers=limited.person("bob").headers)
    assert answer.headers["X-RateLimit-Limit"] == "3"
    assert answer.headers["X-RateLimit-Remaining"] == "2"
    assert 0 < int(answer.headers["X-RateLimit-Reset"]) / 1000 - time.time() <= 61


@pytest.mark.parametrize(("method", "path"), [("GET", ME), ("POST", RESET)])
def test_api_bypass_rate_limit_passes_and_then_no_headers_are_sent(limited, method, path):
    root = limited.person("root", roles=["admin"])
    calls = [limited.client.open(path, method=method, headers=root.headers) for _ in range(5)]
    assert 429 not in [answer.status_code for answer in calls]
    assert "X-RateLimit-Limit" in calls[0].headers
    assert "X-RateLimit-Limit" not in calls[-1].headers


def test_a_revoked_bypass_holds_at_the_next_request(limited):
    root = limited.person("root", roles=["admin"])
    for _ in range(5):
        assert limited.client.get(ME, headers=root.headers).status_code == 200
    with limited.runtime.transactions.begin() as session:
        limited.runtime.permissions.revoke(session, "api-bypass-rate-limit", "admin")
    assert limited.client.get(ME, headers=root.headers).status_code == 429


def test_nobody_passes_a_sign_in_over_its_rate(limited):
    root = limited.person("root", roles=["admin"], password="pw")
    answers = [limited.login("root", headers=root.headers).status_code for _ in range(2)]
    assert answers == [200, 429]
