"""What is left when workers are killed in the middle of resets."""

import pytest

from tests.kit.aftermath import assert_told_once
from tests.kit.databases import served_database
from tests.kit.live import make_live
from tests.kit.load import Load, dying_workers
from tests.kit.network import wait_for
from tests.kit.states import add_users, assert_whole

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
    assert_told_once(live, reset)
