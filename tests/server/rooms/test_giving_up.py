"""What becomes of the rooms of who is deleted or switched off: section 5.1 of the reference."""

from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import pytest

from e2ereset.server.people.administration import OWNED
from e2ereset.server.people.models import User
from e2ereset.server.rooms.access import LOCK
from e2ereset.server.rooms.members import DROP_ROLES
from e2ereset.server.rooms.models import Room, RoomRole, Subscription, Waiting
from e2ereset.store.tables import table
from tests.kit.client import API
from tests.kit.server import NOW

pytestmark = pytest.mark.long


@pytest.fixture
def people(ann, ben, eve):
    """Ann, Ben and Eve, by their first letters."""
    return {"a": ann, "b": ben, "e": eve}


@pytest.fixture
def group(world, post, people):
    """Make a group of Ann's; the members join one after the other. Its id."""

    def group(name, *members, **more):
        made = post(people["a"], "groups.create", name=name, extraData=more)
        room_id = made.json["group"]["_id"]
        for member in members:
            world.clock.now += 1
            post(people["a"], "groups.invite", roomId=room_id, username=member)
        return room_id

    return group


def owners(world, room_id):
    return [row.user_id for row in world.rows(RoomRole, room_id=room_id, role="owner")]


def switched_off(person):
    return {"userId": person.id, "activeStatus": False}


ENDS = {
    "users.delete": lambda person: {"userId": person.id},
    "users.setActiveStatus": switched_off,
    "users.update": lambda person: {"userId": person.id, "data": {"active": False, "name": "x"}},
}


@pytest.mark.parametrize("route", ENDS)
def test_the_last_owner_is_named_with_the_rooms_and_nothing_is_done(
    world, post, boss, people, group, route
):
    group("shared", "eve", "ben", encrypted=True)
    group("alone")
    ann = people["a"]
    answer = post(boss, route, **ENDS[route](ann))
    assert (answer.status_code, answer.json) == (
        400,
        {
            "success": False,
            "error": "[user-last-owner]",
            "errorType": "user-last-owner",
            "details": {"shouldChangeOwner": ["shared"], "shouldBeRemoved": ["alone"]},
        },
    )
    assert len(world.rows(Room)) == 2
    assert [row.user_id for row in world.rows(RoomRole)] == [ann.id] * 2
    assert (world.rows(User, id=ann.id)[0].active, world.tokens(ann)) == (True, 1)
    assert world.rows(User, id=ann.id)[0].name != "x"
    assert not world.queued("account-changed")


@pytest.mark.parametrize("route", ENDS)
def test_the_member_of_longest_standing_becomes_the_owner(world, post, boss, people, group, route):
    shared, alone = group("shared", "eve", "ben"), group("alone")
    world.clock.now += 100
    answer = post(boss, route, **ENDS[route](people["a"]), confirmRelinquish=True)
    assert answer.status_code == 200, answer.json
    assert answer.json.get("deletedRooms", [alone]) == [alone]
    assert [room.id for room in world.rows(Room)] == [shared]
    assert people["e"].id in owners(world, shared)
    assert people["b"].id not in owners(world, shared)
    (heir,) = world.rows(Subscription, room_id=shared, user_id=people["e"].id)
    assert (heir.joined_at, heir.updated_at) == (NOW + 1, NOW + 102)
    assert world.rows(Room)[0].updated_at == NOW + 102
    done = [(action, target, outcome) for action, _, target, _, outcome in world.outcomes()]
    assert {("give-room", shared, people["e"].id), ("delete-room", alone, "done")} <= {*done}


def test_the_deleted_owner_leaves_no_row(world, post, boss, people, group):
    shared = group("shared", "ben", encrypted=True)
    post(boss, "users.delete", userId=people["a"].id, confirmRelinquish=True)
    assert owners(world, shared) == [people["b"].id]
    assert [row.user_id for row in world.rows(Subscription)] == [people["b"].id]
    assert [row.user_id for row in world.rows(Waiting)] == [people["b"].id]


def test_who_is_switched_off_is_no_heir_and_no_owner_that_counts(world, post, boss, people, group):
    shared = group("shared", "eve", "ben")
    for name in ("e", "a"):  # Eve owns nothing alone, so that she goes without a word
        answer = post(
            boss,
            "users.setActiveStatus",
            **switched_off(people[name]),
            confirmRelinquish=name == "a",
        )
        assert answer.status_code == 200, answer.json
    assert owners(world, shared) == sorted([people["a"].id, people["b"].id])
    answer = post(boss, "users.delete", userId=people["b"].id)
    assert answer.json["details"] == {"shouldChangeOwner": [], "shouldBeRemoved": ["shared"]}


def test_who_shares_a_room_with_another_owner_goes_at_once(world, post, boss, people, group):
    shared = group("shared", "ben")
    world.session.add(RoomRole(user_id=people["b"].id, room_id=shared, role="owner"))
    world.session.commit()
    answer = post(boss, "users.delete", userId=people["a"].id)
    assert answer.json == {"deletedRooms": [], "success": True}
    assert owners(world, shared) == [people["b"].id]
    answer = post(people["b"], "groups.leave", roomId=shared)
    assert answer.json["errorType"] == "error-you-are-last-owner"


def test_a_channel_stays_and_a_direct_message_goes_with_a_deleted_user(
    world, post, boss, people, group
):
    channel, direct = group("channel"), group("direct", "ben")
    for room_id, kind in ((channel, "c"), (direct, "d")):
        world.session.get(Room, room_id).kind = kind
    world.session.delete(world.session.get(RoomRole, (people["a"].id, direct, "owner")))
    world.session.commit()
    off = post(boss, "users.setActiveStatus", **switched_off(people["a"]))
    assert off.status_code == 200, off.json
    assert len(world.rows(Room)) == 2
    answer = post(boss, "users.delete", userId=people["a"].id)
    assert answer.json == {"deletedRooms": [direct], "success": True}
    assert [room.id for room in world.rows(Room)] == [channel]


def test_who_deletes_an_owner_waits_for_the_other_one_who_leaves(world, boss, people, group):
    shared = group("shared", "ben", "eve")
    world.session.add(RoomRole(user_id=people["b"].id, room_id=shared, role="owner"))
    world.session.commit()
    post = partial(world.through(world.app).client.post, headers=boss.headers)
    with ThreadPoolExecutor(1) as pool:
        with world.runtime.transactions.begin() as session:
            LOCK(session, {"key": shared})
            DROP_ROLES(session, {"user": people["b"].id, "room": shared})
            deleting = pool.submit(post, API + "users.delete", json={"userId": people["a"].id})
            wait([deleting], timeout=0.3)
        assert deleting.result().json["errorType"] == "user-last-owner"


def test_rows_go_before_what_they_refer_to_and_those_that_refer_to_nothing_last():
    roles, members, waiting = (OWNED.index(table(one)) for one in (RoomRole, Subscription, Waiting))
    assert roles < members < waiting
    assert [rows for rows in OWNED[waiting:] if rows.foreign_keys] == []
