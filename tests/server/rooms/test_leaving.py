"""The ends of memberships and groups, and the switch of encryption."""

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial

import pytest

from e2ereset.audit import Operator
from e2ereset.records import iso
from e2ereset.server.people.acts import Acting
from e2ereset.server.people.administration import delete_user
from e2ereset.server.rooms.models import LeftRoom, Room, RoomRole, Subscription, Waiting
from tests.kit.client import API
from tests.kit.live import at_once
from tests.kit.server import NOW

pytestmark = pytest.mark.long

NOT_FOUND = "error-room-not-found"
LAST = (
    "You are the last owner. Please set new owner before leaving the room."
    " [error-you-are-last-owner]"
)


@pytest.fixture
def secret(post, ann, ben):
    """The id of an encrypted group of Ann's and Ben's."""
    body = {"name": "secret", "members": ["ben"], "extraData": {"encrypted": True}}
    return post(ann, "groups.create", **body).json["group"]["_id"]


def give_role(world, user, room_id, role):
    world.session.add(RoomRole(user_id=user.id, room_id=room_id, role=role))
    world.session.commit()


def members(world, room_id):
    return [row.user_id for row in world.rows(Subscription, room_id=room_id)]


def test_who_is_removed_loses_the_membership_and_all_that_hangs_on_it(
    world, post, ann, ben, secret
):
    give_role(world, ben, secret, "leader")
    answer = post(ann, "groups.kick", roomId=secret, username="BEN")
    assert (answer.status_code, answer.json) == (200, {"success": True})
    assert members(world, secret) == [ann.id]
    assert not world.rows(Waiting)
    assert not world.rows(RoomRole, user_id=ben.id)
    (left,) = world.rows(LeftRoom)
    assert (left.user_id, left.room_id, left.left_at) == (ben.id, secret, NOW)
    assert world.outcomes()[-1] == ("remove-from-room", ann.id, ben.id, "", "done")


def test_who_was_removed_is_told_and_others_see_the_room_changed(world, post, ann, ben, secret):
    world.clock.now += 100
    post(ann, "groups.kick", roomId=secret, username="ben")
    query = {"updatedSince": iso(NOW + 50)}
    told = world.client.get(API + "rooms.get", query_string=query, headers=ben.headers).json
    gone = [{"_id": secret, "_deletedAt": iso(NOW + 100)}]
    assert told == {"update": [], "remove": gone, "success": True}
    seen = world.client.get(API + "rooms.get", query_string=query, headers=ann.headers).json
    assert [room["usersCount"] for room in seen["update"]] == [1]


def test_who_comes_back_is_not_told_to_have_left(world, post, ann, ben, secret):
    for _ in range(2):
        post(ann, "groups.kick", roomId=secret, username="ben")
        assert post(ann, "groups.invite", roomId=secret, username="ben").status_code == 200
    assert not world.rows(LeftRoom)
    assert members(world, secret) == [ann.id, ben.id]


NOT_REMOVED = [
    ({"username": "ben"}, "error-room-param-not-provided"),
    ({"roomName": "no", "username": "ben"}, NOT_FOUND),
    ({"roomName": "secret"}, "error-user-param-not-provided"),
    ({"roomName": "secret", "username": " "}, "error-user-param-not-provided"),
    ({"roomName": "secret", "username": "nobody"}, "error-invalid-user"),
    ({"roomName": "secret", "userId": "ben"}, "error-invalid-user"),
    ({"roomName": "secret", "username": "eve"}, "error-user-not-in-room"),
    ({"roomName": "secret", "username": "ann"}, "error-you-are-last-owner"),
    ({"roomName": "secret", "username": 1}, "invalid-params"),
]


def test_a_removal_that_cannot_be_is_refused(world, post, ann, ben, secret):
    world.person("eve", key=False)
    codes = [post(ann, "groups.kick", **body).json["errorType"] for body, _ in NOT_REMOVED]
    assert codes == [code for _, code in NOT_REMOVED]
    assert members(world, secret) == [ann.id, ben.id]


def test_a_plain_member_may_not_remove_nor_delete(world, post, ann, ben, secret):
    answers = [
        post(ben, "groups.kick", roomId=secret, username="ann"),
        post(ben, "groups.delete", roomId=secret),
    ]
    words = "Not allowed [error-not-allowed]"
    assert [answer.json["error"] for answer in answers] == [words] * 2
    assert members(world, secret) == [ann.id, ben.id]


@pytest.mark.parametrize("role", ["user", "admin"])
def test_who_is_not_in_the_group_does_not_learn_that_it_is_there(world, post, secret, role):
    eve = world.person("eve", key=False, roles=[role])
    routes = {"groups.kick": {"username": "ben"}, "groups.leave": {}, "groups.delete": {}}
    for route, more in routes.items():
        answers = [post(eve, route, roomId=room_id, **more) for room_id in (secret, "no")]
        assert [answer.json["errorType"] for answer in answers] == [NOT_FOUND] * 2
        assert answers[0].data == answers[1].data


def test_a_moderator_of_this_room_only_may_remove_here_only(world, post, ann, ben, secret):
    other = post(ann, "groups.create", name="other", members=["ben"]).json["group"]["_id"]
    world.person("eve", key=False)
    for room_id in (secret, other):
        post(ann, "groups.invite", roomId=room_id, username="eve")
    give_role(world, ben, secret, "moderator")
    kicks = [post(ben, "groups.kick", roomId=rid, username="eve") for rid in (secret, other)]
    assert [answer.status_code for answer in kicks] == [200, 400]


def test_a_member_leaves(world, post, ann, ben, secret):
    assert post(ben, "groups.leave", roomId=secret).json == {"success": True}
    assert members(world, secret) == [ann.id]
    assert world.outcomes()[-1][:3] == ("leave-room", ben.id, secret)
    assert post(ben, "groups.leave", roomId=secret).json["errorType"] == NOT_FOUND


def test_the_last_owner_stays_and_one_of_two_may_go(world, post, ann, ben, secret):
    assert post(ann, "groups.leave", roomId=secret).json["error"] == LAST
    give_role(world, ben, secret, "owner")
    assert post(ann, "groups.leave", roomId=secret).status_code == 200
    assert post(ben, "groups.leave", roomId=secret).json["error"] == LAST


def test_of_two_owners_who_leave_at_once_one_stays(world, ann, ben, secret):
    give_role(world, ben, secret, "owner")

    def leave(person):
        client = world.through(world.app).client
        body = {"roomId": secret}
        return client.post(API + "groups.leave", json=body, headers=person.headers).status_code

    answers = at_once([partial(leave, person) for person in (ann, ben)])
    assert sorted(answers) == [200, 400]
    assert len(world.rows(RoomRole, room_id=secret)) == 1


def test_who_may_not_leave_stays(world, post, ben, secret):
    world.permit("leave-p", "user", allowed=False)
    assert post(ben, "groups.leave", roomId=secret).json["errorType"] == "error-not-allowed"


def test_a_deleted_group_leaves_nothing_but_the_news(world, post, ann, ben, secret):
    kept = post(ann, "groups.create", name="kept", members=["ben"]).json["group"]["_id"]
    answer = post(ann, "groups.delete", roomName="secret")
    assert (answer.status_code, answer.json) == (200, {"success": True})
    assert [row.id for row in world.rows(Room)] == [kept]
    assert members(world, kept) == [ann.id, ben.id]
    assert [row.room_id for row in world.rows(RoomRole)] == [kept]
    assert not world.rows(Waiting)
    left = {(row.user_id, row.room_id, row.left_at) for row in world.rows(LeftRoom)}
    assert left == {(ann.id, secret, NOW), (ben.id, secret, NOW)}
    assert world.outcomes()[-1][:3] == ("delete-room", ann.id, secret)


# Encryption


@pytest.fixture
def plain(post, ann, ben):
    """The id of a group that is not encrypted."""
    made = post(ann, "groups.create", name="plain", members=["ben"])
    return made.json["group"]["_id"]


def test_a_room_is_encrypted_and_its_members_wait_for_the_key(world, post, ann, ben, plain):
    world.clock.now += 100
    answer = post(ann, "rooms.saveRoomSettings", rid=plain, encrypted=True)
    assert answer.json == {"rid": plain, "success": True}
    (room,) = world.rows(Room)
    assert (room.encrypted, room.updated_at) == (True, NOW + 100)
    assert [row.user_id for row in world.rows(Waiting)] == [ben.id]
    assert world.outcomes()[-1] == ("change-room", ann.id, plain, "", "encrypted")


def test_a_room_is_encrypted_no_more_and_keeps_its_keys(world, post, ann, ben, secret):
    world.session.get(Subscription, (ann.id, secret)).e2e_key = "K"
    world.session.get(Room, secret).e2e_key_id = "id"
    world.session.commit()
    post(ann, "rooms.saveRoomSettings", rid=secret, encrypted=False)
    (room,) = world.rows(Room)
    assert (room.encrypted, room.e2e_key_id) == (False, "id")
    assert world.rows(Subscription, user_id=ann.id)[0].e2e_key == "K"
    assert not world.rows(Waiting)


def test_what_is_so_already_is_no_change(world, post, ann, secret):
    done = len(world.outcomes())
    assert post(ann, "rooms.saveRoomSettings", rid=secret, encrypted=True).status_code == 200
    assert len(world.outcomes()) == done


def test_who_may_not_edit_a_room_does_not_encrypt_it(world, post, ben, plain):
    for caller in (ben, world.person("eve", key=False)):
        answers = [
            post(caller, "rooms.saveRoomSettings", rid=rid, encrypted=True) for rid in (plain, "no")
        ]
        words = "Editing room is not allowed [error-action-not-allowed]"
        assert answers[0].json["error"] == words
        assert answers[0].data == answers[1].data
    assert not world.rows(Room)[0].encrypted


def test_a_moderator_edits_a_room_and_does_not_encrypt_it(world, post, ben, plain):
    give_role(world, ben, plain, "moderator")
    answer = post(ben, "rooms.saveRoomSettings", rid=plain, encrypted=True)
    assert answer.json["error"] == (
        "You do not have permission to toggle E2E encryption [error-action-not-allowed]"
    )
    assert answer.json["details"] == {
        "method": "saveRoomSettings",
        "action": "Change_Room_Encrypted",
    }


def test_an_administrator_encrypts_any_room_and_learns_that_there_is_none(world, post, plain):
    root = world.person("root", key=False, roles=["admin"])
    assert post(root, "rooms.saveRoomSettings", rid=plain, encrypted=True).status_code == 200
    answer = post(root, "rooms.saveRoomSettings", rid="no", encrypted=True)
    assert answer.json["error"] == "Invalid room [error-invalid-room]"


def test_a_public_channel_is_not_encrypted(world, post, ann, plain):
    world.session.get(Room, plain).kind = "c"
    world.session.commit()
    answer = post(ann, "rooms.saveRoomSettings", rid=plain, encrypted=True)
    assert answer.json["error"].startswith("Only groups or direct channels can enable encryption")


def test_settings_that_do_not_fit_are_refused(post, ann):
    for body, words in (
        ({"encrypted": True}, "must have required property 'rid'"),
        ({"rid": "a"}, "must have required property 'encrypted'"),
        ({"rid": "a", "encrypted": "true"}, "must be boolean"),
        ({"rid": "a", "encrypted": True, "name": "b"}, "must NOT have additional properties"),
    ):
        answer = post(ann, "rooms.saveRoomSettings", **body)
        assert answer.json["errorType"] == "invalid-params"
        assert words in answer.json["error"]


@contextmanager
def while_deleted(world, person, call):
    """What `call` returns, which is begun while this person is being deleted."""
    on = Acting(runtime=world.runtime, by=Operator(login="root")).on(person.username)

    def begin(change):
        delete_user(change)
        begun.append(pool.submit(call))
        wait(begun, timeout=0.3)  # it must not get past the deletion

    with ThreadPoolExecutor(1) as pool:
        begun = []
        on.run(begin)
        yield begun[0].result()


def test_a_group_is_deleted_while_a_member_is(world, ann, ben, secret):
    twin = world.through(world.app)
    body, path = {"roomId": secret}, API + "groups.delete"
    delete = partial(twin.client.post, path, json=body, headers=ann.headers)
    with while_deleted(world, ben, delete) as answer:
        assert answer.status_code == 200, answer.json
    assert not [*world.rows(Room), *world.rows(Subscription), *world.rows(Waiting)]


def test_who_is_being_deleted_is_not_made_to_wait_for_a_key(world, ann, ben, plain):
    twin = world.through(world.app)
    body, path = {"rid": plain, "encrypted": True}, API + "rooms.saveRoomSettings"
    encrypt = partial(twin.client.post, path, json=body, headers=ann.headers)
    with while_deleted(world, ben, encrypt) as answer:
        assert answer.status_code == 200, answer.json
    assert not world.rows(Waiting)


def test_who_owns_a_group_with_somebody_who_is_being_deleted_does_not_leave_it(
    world, ann, ben, secret
):
    give_role(world, ben, secret, "owner")
    twin = world.through(world.app)
    body, path = {"roomId": secret}, API + "groups.leave"
    leave = partial(twin.client.post, path, json=body, headers=ben.headers)
    with while_deleted(world, ann, leave) as answer:
        assert answer.json["error"] == LAST
    assert [row.user_id for row in world.rows(RoomRole)] == [ben.id]
