"""What grows with people, rooms or acts is not read in whole for one of them."""

import pytest

from tests.kit.databases import only_sqlite
from tests.kit.pages import browser_of
from tests.kit.plans import read_in_whole

pytestmark = only_sqlite
GROW = {"subscriptions", "tokens", "users", "waiting_for_keys"}


@pytest.fixture
def boss(world, bob, eve):
    boss = world.person("boss", roles=("admin",))
    world.room("r1", boss, bob, eve)
    return boss


@pytest.mark.parametrize("path", ["/security/reset", "/rooms/readable", "/admin/people/{bob}"])
def test_a_page_of_a_person_reads_no_table_of_all(world, boss, bob, path):
    browser = browser_of(world, boss)
    with read_in_whole(world.engine) as found:
        assert browser.get(path.format(bob=bob.id)).status_code == 200
    assert not found & GROW


def test_leaving_a_room_reads_no_table_of_all(world, boss, bob):
    with read_in_whole(world.engine) as found:
        left = world.client.post("/api/v1/groups.leave", json={"roomId": "r1"}, headers=bob.headers)
    assert left.json == {"success": True}
    assert not found & GROW
