"""Redis, which counts the request rates, dies or hangs under a server at work, and comes back."""

import time

import pytest

from tests.kit import outages
from tests.kit.client import LOGIN, ME
from tests.kit.live import make_live
from tests.kit.network import wait_for
from tests.kit.redis import Redis, make_redis
from tests.kit.states import add_users

pytestmark = pytest.mark.slow

HANGS = 10.0  # seconds: no answer takes as long, whatever the machine
POLICIES = {  # the statuses of me, a sign-in, a reset and a look at the keys
    "guarded": [200, 503, 503, 200],
    "refuse": [503, 503, 503, 503],
    "allow": [200, 401, 400, 200],
}


def killed(redis):
    return outages.outage(redis.kill, redis.start)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with make_redis(tmp_path_factory.mktemp("redis")) as redis:
        yield redis


@pytest.fixture(params=POLICIES)
def policy(request):
    return request.param


@pytest.fixture
def live(redis, service_uri, tmp_path, policy):
    settings = {
        "FLASK_RATELIMIT_ENABLED": "true",
        "FLASK_RATELIMIT_STORAGE_URI": redis.uri,
        "FLASK_E2ERESET_RATE_LIMIT": "1000 per minute",
        "FLASK_E2ERESET_RATE_LIMIT_READS": "1000 per minute",
        "FLASK_E2ERESET_WITHOUT_RATE_STORE": policy,
    }
    with make_live(tmp_path, service_uri, settings) as live:
        yield live


@pytest.fixture
def users(live):
    with live.app() as app:
        return add_users(app, 2)


def answers(live, user):
    """One request to each kind of route, none of which hangs."""
    calls = [
        lambda: live.call("GET", ME, user.headers),
        lambda: live.call("POST", LOGIN, None, outages.WRONG),
        lambda: live.reset(user),
        lambda: live.call("GET", outages.KEYS, user.headers),
    ]
    found = []
    for call in calls:
        began = time.monotonic()
        found.append(call())
        assert time.monotonic() - began < HANGS
    return found


def statuses(live, user):
    return [answer.status for answer in answers(live, user)]


@pytest.mark.parametrize("outage", [killed, Redis.frozen])
def test_the_setting_says_who_is_served_while_redis_is_gone(live, redis, users, policy, outage):
    ann, bob = users
    assert "X-RateLimit-Limit" in live.call("GET", ME, ann.headers).headers
    with outage(redis):
        found = answers(live, ann)
        assert [answer.status for answer in found] == POLICIES[policy]
        for answer in found:
            if answer.status == 503:
                outages.assert_unavailable(answer)
    # Both workers find it again by themselves.
    wait_for(lambda: statuses(live, ann) == [200, 401, 400, 200], "all to be served again")
    assert "X-RateLimit-Limit" in live.call("GET", ME, ann.headers).headers
    assert live.reset(bob, code=bob.totp.now()).status == 200


@pytest.mark.parametrize("policy", ["guarded"], indirect=True)
def test_a_refused_request_costs_no_try(live, redis, users):
    ann, _ = users
    with killed(redis):
        assert {live.reset(ann, code="not one").status for _ in range(7)} == {503}
    wait_for(lambda: live.reset(ann).status == 400, "the rate to be counted again")
    assert live.reset(ann, code=ann.totp.now()).status == 200
