"""What must hold once a fault is over, whatever it was."""

import time

from e2ereset import get_e2ereset
from e2ereset.jobs.leases import LEASE_SECONDS
from tests.kit.client import ME
from tests.kit.network import wait_for
from tests.kit.outages import assert_unavailable
from tests.kit.states import RESET, assert_audit_is_whole, states


def assert_all_reset(live, users, load):
    """Every user of the load is reset once, whole, and told so once; the audit log is whole."""
    for _, answer in load.unavailable:
        assert_unavailable(answer)
    assert not load.broken
    # A commit whose word got lost was answered with 503: the client that came again was signed out.
    told = {user.id for user, _ in load.unavailable}
    assert all(a.status == 401 and user.id in told for user, a in load.refused), load.refused
    for user in users:
        assert live.call("GET", ME, user.headers).status == 401
    live.stop()
    with live.app() as app:
        assert set(states(app, users).values()) == {RESET}
    assert_told_once(live, {user.address for user in users})


def assert_told_once(live, addresses):
    """These have got the notice of a reset, once each; the audit log is whole."""
    # What a dead worker was sending is due again when its lease is over.
    with live.app(clock=lambda: time.time() + LEASE_SECONDS + 1) as app:
        get_e2ereset(app).worker.run_due()
        get_e2ereset(app).sealer.seal()
    notices = [mail for mail in live.inbox.mails if "reset" in mail["Subject"].lower()]
    assert {mail["To"] for mail in notices} == addresses
    different = {mail["Message-ID"] for mail in notices}
    assert len(different) == len(addresses), "a mail that was sent twice has one Message-ID"
    assert_audit_is_whole(live)


def wait_until_served(live, user):
    """Recovery is by itself: nobody restarts gunicorn."""
    wait_for(lambda: live.call("GET", ME, user.headers).status == 200, "an answer again")
