"""What is left when workers are killed in the middle of resets, or the mail server is down."""

import time

import pytest

from e2ereset import get_e2ereset
from e2ereset.jobs.leases import LEASE_SECONDS
from tests.kit.databases import served_database
from tests.kit.live import make_live
from tests.kit.load import Load, dying_workers
from tests.kit.network import wait_for
from tests.kit.states import add_users, assert_audit_is_whole, assert_whole, notices

pytestmark = pytest.mark.slow

USERS = 600


@pytest.fixture
def live(tmp_path, served_on):
    with served_database(served_on) as uri, make_live(tmp_path, uri) as live:
        yield live


def test_killed_workers_leave_every_reset_whole(live):
    with live.app() as app:
        users = add_users(app, USERS)
        first, second = Load(live, users[: USERS // 2]), Load(live, users[USERS // 2 :])
        with dying_workers(live) as dead:
            first.start()
            first.join()
        second.start()
        wait_for(lambda: second.done > USERS // 8, "resets under way")
        live.kill()
        live.start()
        second.join()
        assert len(dead) >= 3
        assert first.broken, "no worker died in the middle of a request"
        assert second.broken, "gunicorn did not die in the middle of a request"
        reset = assert_whole(live, app, users, [first, second])
    live.stop()
    assert_audit_is_whole(live)
    # What a dead worker was sending is due again when its lease is over.
    with live.app(clock=lambda: time.time() + LEASE_SECONDS + 1) as app:
        get_e2ereset(app).worker.run_due()
        get_e2ereset(app).sealer.seal()
    addresses, mails = notices(live.inbox)
    assert addresses == reset
    assert len(mails) == len(reset), "a mail that was sent twice has one Message-ID"
    assert_audit_is_whole(live)


@pytest.mark.parametrize("served_on", ["sqlite"], indirect=True)  # a minute's wait is enough
@pytest.mark.parametrize("down_for", [60.0])
def test_a_mail_server_that_is_down_delays_mails_and_nothing_else(live, down_for):
    with live.app() as app:
        users = add_users(app, 8)
        wait_for(lambda: len(live.inbox.mails) == 8, "the notices of eight enrolments")
        live.inbox.stop()
        down_until = time.monotonic() + down_for
        assert [live.reset(user, code=user.totp.now()).status for user in users] == [200] * 8
        time.sleep(max(0, down_until - time.monotonic()))
        assert len(live.inbox.mails) == 8
        assert_whole(live, app, users, [])
    live.inbox.start()
    wait_for(lambda: len(live.inbox.mails) == 16, "the notices of eight resets")
    assert notices(live.inbox)[0] == {user.address for user in users}
