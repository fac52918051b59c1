"""What grows with people, rooms or acts is not read in whole for one of them."""

import pytest

from tests.kit.databases import only_sqlite
from tests.kit.pages import browser_of
from tests.kit.plans import read_in_whole

pytestmark = only_sqlite
GROW = {"e2ereset_audit", "room_roles", "subscriptions", "tokens", "user_roles", "users"}
PAGES = (
    "/security/reset",
    "/rooms/readable",
    "/admin/people/{bob}",
    "/admin/roles/admin",
    "/admin/log",
    "/admin/log?action=delete-user",
)


@pytest.fixture
def boss(world, bob, eve):
    boss = world.person("boss", roles=("admin",))
    world.room("r1", boss, bob, eve)
    return boss


@pytest.mark.parametrize("path", PAGES)
def test_a_page_reads_no_table_of_all(world, boss, bob, path):
    browser = browser_of(world, boss)
    with read_in_whole(world.engine) as found:
        assert browser.get(path.format(bob=bob.id)).status_code == 200
    assert not found & GROW


CALLS = {
    "groups.leave": {"roomId": "r1"},
    "groups.delete": {"roomId": "r1"},
    "users.setActiveStatus": {"userId": "{bob}", "activeStatus": False, "confirmRelinquish": True},
    "roles.removeUserFromRole": {"roleId": "user", "username": "bob"},
}


@pytest.mark.parametrize("call", CALLS)
def test_an_act_reads_no_table_of_all(world, boss, bob, call):
    body = {name: bob.id if sent == "{bob}" else sent for name, sent in CALLS[call].items()}
    with read_in_whole(world.engine) as found:
        answer = world.client.post(f"/api/v1/{call}", json=body, headers=boss.headers)
    assert answer.status_code == 200, answer.json
    assert not found & GROW
