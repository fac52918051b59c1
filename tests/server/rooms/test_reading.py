"""What clients read of their rooms: what they poll, single rooms, and lists."""

import json

import pytest

from e2ereset.records import iso
from e2ereset.server.rooms.models import LeftRoom, Room, Subscription, Waiting
from tests.kit.client import API
from tests.kit.server import NOW

AT = "2027-01-15T08:00:00.000Z"


@pytest.fixture
def get(world):
    """GET a route as this person."""

    def get(person, route, **query):
        return world.client.get(API + route, query_string=query, headers=person.headers)

    return get


@pytest.fixture
def create(world):
    """Make a group of this person's; its id."""

    def create(person, name, *members, encrypted=True):
        body = {"name": name, "members": members, "extraData": {"encrypted": encrypted}}
        made = world.client.post(API + "groups.create", json=body, headers=person.headers)
        return made.json["group"]["_id"]

    return create


@pytest.fixture
def secret(create, ann, ben):
    """The id of an encrypted group of Ann's and Ben's."""
    return create(ann, "secret", "ben")


def store(world, user, room_id, **facts):
    """Change a subscription."""
    row = world.session.get(Subscription, (user.id, room_id))
    for name, value in facts.items():
        setattr(row, name, value)
    world.session.commit()


def test_a_subscription_is_answered_as_clients_read_it(world, get, ann, secret):
    old = [{"e2eKeyId": "1", "ts": AT, "E2EKey": "old"}]
    keys = {"e2e_key": "K", "suggested_key": "S", "old_keys": json.dumps(old)}
    store(world, ann, secret, suggested_old_keys=json.dumps(old), **keys)
    answer = get(ann, "subscriptions.get")
    assert answer.json["remove"] == []
    assert answer.json["update"] == [
        {
            "_id": secret + ann.id,
            "rid": secret,
            "t": "p",
            "name": "secret",
            "fname": "secret",
            "u": {"_id": ann.id, "username": "ann", "name": "ann"},
            "roles": ["owner"],
            "open": True,
            "alert": False,
            "unread": 0,
            "userMentions": 0,
            "groupMentions": 0,
            "E2EKey": "K",
            "E2ESuggestedKey": "S",
            "oldRoomKeys": old,
            "suggestedOldRoomKeys": old,
            "ts": AT,
            "ls": AT,
            "_updatedAt": AT,
        }
    ]


def test_a_subscription_without_keys_has_no_fields_of_keys(get, ben, secret):
    (found,) = get(ben, "subscriptions.get").json["update"]
    assert [name for name in found if "Key" in name] == []
    assert found["roles"] == []


def test_one_subscription_is_that_of_the_caller_or_null(world, get, ann, ben, secret, create):
    other = create(ann, "other")
    store(world, ann, secret, e2e_key="of ann")
    found = get(ben, "subscriptions.getOne", roomId=secret).json["subscription"]
    assert (found["rid"], found["u"]["_id"], "E2EKey" in found) == (secret, ben.id, False)
    for room_id in (other, "no"):
        assert get(ben, "subscriptions.getOne", roomId=room_id).json == {
            "subscription": None,
            "success": True,
        }


def test_rooms_are_those_of_the_caller(get, ann, ben, secret, create):
    other = create(ann, "other", encrypted=False)
    assert {room["_id"] for room in get(ann, "rooms.get").json["update"]} == {secret, other}
    (found,) = get(ben, "rooms.get").json["update"]
    assert (found["_id"], found["encrypted"], found["u"]["username"]) == (secret, True, "ann")
    assert "e2eKeyId" not in found


def test_the_key_id_of_a_room_is_told(world, get, ann, secret):
    world.session.get(Room, secret).e2e_key_id = "id of the key"
    world.session.commit()
    assert get(ann, "rooms.info", roomId=secret).json["room"]["e2eKeyId"] == "id of the key"


@pytest.mark.parametrize("route", ["rooms.get", "subscriptions.get"])
def test_only_what_has_changed_since_then_is_told(world, get, ann, secret, create, route):
    world.clock.now += 100
    new = create(ann, "new")
    found = get(ann, route, updatedSince=iso(NOW + 50)).json["update"]
    assert [one.get("rid", one["_id"]) for one in found] == [new]
    assert get(ann, route, updatedSince=iso(NOW + 200)).json["update"] == []


def test_a_change_that_was_committed_late_is_told(get, ann, secret):
    for since in ("2027-01-15T08:00:09.999Z", "2027-01-15T09:00:09+01:00"):
        assert get(ann, "subscriptions.get", updatedSince=since).json["update"]


def test_a_reset_is_a_change_of_the_subscription_and_of_who_waits(world, get, ann, ben, secret):
    store(world, ben, secret, e2e_key="K")
    world.session.query(Waiting).delete()
    world.session.commit()
    world.clock.now += 100
    world.runtime.accounts.drop_keys(world.session, ben.id, world.clock.now)
    world.session.commit()
    since = iso(NOW + 50)
    (found,) = get(ben, "subscriptions.get", updatedSince=since).json["update"]
    assert "E2EKey" not in found
    (room,) = get(ann, "rooms.get", updatedSince=since).json["update"]
    assert room["usersWaitingForE2EKeys"] == [{"userId": ben.id, "ts": iso(NOW + 100)}]
    assert room["_updatedAt"] == iso(NOW + 100)


def test_rooms_that_were_left_are_told_to_who_left_them(world, get, ann, ben):
    for room_id, at in (("old", NOW - 100), ("new", NOW)):
        world.session.add(LeftRoom(user_id=ben.id, room_id=room_id, left_at=at))
    world.session.commit()
    since = iso(NOW - 50)
    left = {"_id": "new" + ben.id, "rid": "new", "_deletedAt": AT}
    assert get(ben, "subscriptions.get", updatedSince=since).json["remove"] == [left]
    gone = [{"_id": "new", "_deletedAt": AT}]
    assert get(ben, "rooms.get", updatedSince=since).json["remove"] == gone
    assert get(ann, "rooms.get", updatedSince=since).json["remove"] == []


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (
            "rooms.get",
            'The "updatedSince" query parameter must be a valid date.'
            " [error-updatedSince-param-invalid]",
        ),
        (
            "subscriptions.get",
            'The "lastUpdate" query parameter must be a valid date. [error-roomId-param-invalid]',
        ),
    ],
)
def test_a_time_that_is_none_is_refused(get, ann, route, words):
    for since in ("soon", "2027-13-01", "1e9", "2027-01-15T08:00:00 01:00"):
        answer = get(ann, route, updatedSince=since)
        assert (answer.status_code, answer.json["error"]) == (400, words)


def test_the_first_and_the_last_time_are_times(get, ann):
    for since in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        for route in ("rooms.get", "subscriptions.get"):
            assert get(ann, route, updatedSince=since).status_code == 200


def test_a_room_is_found_by_id_and_by_name(get, ben, secret):
    for query in ({"roomId": secret}, {"roomName": "secret"}):
        room = get(ben, "rooms.info", **query).json["room"]
        assert (room["_id"], room["usersCount"]) == (secret, 2)


@pytest.mark.parametrize("route", ["rooms.info", "groups.members"])
def test_a_stranger_does_not_learn_that_a_room_is_there(world, get, secret, route):
    eve = world.person("eve", key=False)
    queries = [{"roomId": secret}, {"roomId": "no"}, {"roomName": "secret"}, {"roomName": "no"}]
    answers = [get(eve, route, **query) for query in queries]
    assert {answer.data for answer in answers} == {answers[0].data}
    assert answers[0].json["errorType"] == "error-room-not-found"
    assert get(eve, route).json["errorType"] == "error-room-param-not-provided"


def test_groups_are_listed_by_name_page_by_page(get, ann, ben, secret, create):
    create(ann, "a")
    create(ben, "b")
    first = get(ann, "groups.list", count=1).json
    assert [group["name"] for group in first["groups"]] == ["a"]
    assert (first["count"], first["offset"], first["total"]) == (1, 0, 2)
    second = get(ann, "groups.list", count=1, offset=1).json
    assert [group["name"] for group in second["groups"]] == ["secret"]
    downward = get(ann, "groups.list", sort='{"name":-1}').json
    assert [group["name"] for group in downward["groups"]] == ["secret", "a"]


def test_who_is_in_no_group_gets_an_empty_list(get, ben):
    answer = get(ben, "groups.list")
    assert (answer.status_code, answer.json["groups"], answer.json["total"]) == (200, [], 0)


def test_members_are_listed_as_clients_read_them(get, ann, ben, secret):
    answer = get(ben, "groups.members", roomId=secret).json
    facts = {"name": "ann", "status": "offline"}
    assert answer["members"][0] == {"_id": ann.id, "username": "ann", **facts}
    assert [one["username"] for one in answer["members"]] == ["ann", "ben"]
    assert (answer["count"], answer["offset"], answer["total"]) == (2, 0, 2)


def test_members_are_found_by_a_part_of_their_names(get, ann, secret):
    for wanted, found in (("BE", ["ben"]), ("%", []), ("n", ["ann", "ben"])):
        answer = get(ann, "groups.members", roomId=secret, filter=wanted).json
        assert [one["username"] for one in answer["members"]] == found
        assert answer["total"] == len(found)


def test_disabled_accounts_are_no_members_for_the_list(world, get, ann, secret):
    world.room("half", ann, world.person("off", key=False, active=False))
    answer = get(ann, "groups.members", roomId="half").json
    assert [one["username"] for one in answer["members"]] == ["ann"]


def test_a_room_from_before_there_were_names_can_be_read(world, get, ann):
    world.room("nameless", ann)
    assert get(ann, "rooms.get").json["update"][0]["_id"] == "nameless"
    (found,) = get(ann, "subscriptions.get").json["update"]
    assert (found["rid"], found["oldRoomKeys"]) == ("nameless", [1])
