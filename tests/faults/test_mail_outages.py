"""A mail relay that is slow, refuses or drops: resets go on, mails come later, and once each."""

import time
from collections import Counter

import pytest

from e2ereset import get_e2ereset
from e2ereset.jobs.leases import LEASE_SECONDS
from tests.kit import failing_relay as relays
from tests.kit.client import RESET as ROUTE
from tests.kit.failing_relay import FailingRelay
from tests.kit.live import Live
from tests.kit.network import serving, wait_for
from tests.kit.states import RESET, account_of, add_users, assert_audit_is_whole, states

pytestmark = pytest.mark.slow

USERS = 6
PATIENCE = 90.0  # seconds: pauses between tries grow
REFUSALS = {
    "busy": relays.refusing("RCPT", b"451 try again later"),
    "unknown": relays.refusing("RCPT", b"550 nobody here"),
    "full": relays.refusing("BODY", b"452 no space"),
    "rejected": relays.refusing("BODY", b"554 not wanted"),
    "no sender": relays.refusing("MAIL", b"421 closing"),
    "dropped at once": relays.dropping("EHLO"),
    "dropped before the data": relays.dropping("DATA"),
    "dropped within the data": relays.dropping("LINE"),
    "dropped after the data": relays.dropping("BODY"),
}


@pytest.fixture
def live(service_uri, tmp_path):
    """A migrated server that has not been started."""
    live = Live(tmp_path, service_uri)
    try:
        assert live.run_cli("db", "upgrade").returncode == 0
        yield live
    finally:
        live.stop()


@pytest.fixture
def relay(live):
    """The relay of that server, healthy until it is told otherwise."""
    with serving(FailingRelay(live.inbox.port)) as relay:
        yield relay


@pytest.fixture
def users(live, relay):
    """Users whose notices of their enrolment are out."""
    with live.app() as app:
        users = add_users(app, USERS)
        assert get_e2ereset(app).worker.run_due() == USERS
        yield users


def reset_all(live, users):
    assert [live.reset(user, code=user.totp.now()).status for user in users] == [200] * len(users)
    with live.app() as app:
        assert set(states(app, users).values()) == {RESET}


def put_off(live, relay, user, fault):
    """A reset whose notice fails in this way, and goes out a minute later; the ids that came."""
    with live.app() as app:
        relay.fault = fault
        proof = user.headers | {"x-2fa-code": user.totp.now()}
        assert app.test_client().post(ROUTE, headers=proof).status_code == 200
        assert get_e2ereset(app).worker.run_due() == 0
    relay.fault = relays.healthy
    deliver_later(live, 60)
    return relay.ids("reset")


def assert_told_once(relay, users):
    ids = relay.ids("reset")
    assert Counter(ids).most_common(1)[0][1] == 1
    assert len(ids) == len(users)


@pytest.mark.parametrize("why", ["dropped within the data", "busy", "rejected"])
def test_a_failing_relay_delays_the_notices_and_nothing_else(live, relay, users, why):
    live.start()
    relay.fault, before = REFUSALS[why], relay.tried
    reset_all(live, users)
    wait_for(lambda: relay.tried > before + 1, "tries that fail", PATIENCE)
    assert relay.ids("reset") == []
    relay.fault = relays.healthy
    wait_for(lambda: len(relay.ids("reset")) >= USERS, "the notices", PATIENCE)
    live.stop()
    assert_told_once(relay, users)
    assert_audit_is_whole(live)


@pytest.mark.parametrize("fault", [relays.dribbling, relays.dropping("QUIT")], ids=["slow", "rude"])
def test_a_slow_relay_and_one_without_a_goodbye_get_each_mail_once(live, relay, users, fault):
    live.start()
    relay.fault = fault
    reset_all(live, users)
    wait_for(lambda: len(relay.ids("reset")) >= USERS, "the notices", PATIENCE)
    live.stop()
    deliver_later(live, LEASE_SECONDS + 1)
    assert_told_once(relay, users)


@pytest.mark.parametrize("why", REFUSALS)
def test_each_failure_puts_the_mail_off_and_the_next_try_sends_it(live, relay, users, why):
    (told,) = put_off(live, relay, users[0], REFUSALS[why])
    deliver_later(live, LEASE_SECONDS + 60)
    assert relay.ids("reset") == [told]


def test_a_relay_that_took_a_mail_and_lost_its_answer_gets_it_again_under_one_id(
    live, relay, users
):
    first, second = put_off(live, relay, users[0], relays.dropping("ANSWER"))
    assert first == second


def test_a_code_is_not_mailed_once_it_has_expired(live, relay, users):
    with live.app() as app:
        runtime, user = get_e2ereset(app), users[0]
        account = account_of(runtime, user)
        runtime.factors.disable_totp(account)
        runtime.factors.set_email(account, True)
        relay.fault = REFUSALS["busy"]
        answer = app.test_client().post(ROUTE, headers=user.headers)
        assert answer.json["errorType"] == "totp-required"
        assert runtime.worker.run_due() == 0
    relay.fault = relays.healthy
    deliver_later(live, 601)
    assert relay.ids("code") == []
    assert len(relay.accepted) == USERS + 2


def deliver_later(live, seconds):
    """Deliver what is due, that many seconds from now."""
    with live.app(clock=lambda: time.time() + seconds) as app:
        get_e2ereset(app).worker.run_due()
