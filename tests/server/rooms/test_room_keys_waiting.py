"""Who waits for a room key, and suggestions for several rooms at once (reference 3.2)."""

import json

import pytest
from sqlalchemy import event, text

from e2ereset.server.rooms.keys.restart import LOCK_MEMBERS
from e2ereset.server.rooms.models import Room, Subscription, Waiting
from e2ereset.vault.models import KeyPair
from tests.kit.client import API
from tests.kit.databases import only_postgresql
from tests.kit.server import make_user

OLD = {"e2eKeyId": "id", "ts": "2026-11-26T21:00:00+01:00", "E2EKey": "old"}
KEPT = OLD | {"ts": "2026-11-26T20:00:00.000Z"}


@pytest.fixture
def people(world):
    """Ann, bob and carl with a key pair; dan without one; eve, who is in no room of theirs."""
    return [world.person(name, key=name != "dan") for name in ("ann", "bob", "carl", "dan", "eve")]


@pytest.fixture
def room(world, people):
    """An encrypted room of ann, bob, carl and dan; nobody has its key."""
    world.room("r1", *people[:4], keys=False)


def without_key(world, person, rid="r1"):
    query = {"rid": rid}
    return world.client.get(
        f"{API}e2e.getUsersOfRoomWithoutKey", query_string=query, headers=person.headers
    )


def waiting(world, person, query="roomIds=r1"):
    path = f"{API}e2e.fetchUsersWaitingForGroupKey?{query}"
    answer = world.client.get(path, headers=person.headers)
    assert answer.status_code == 200, answer.json
    assert list(answer.json) == ["usersWaitingForE2EKeys", "success"]
    found = answer.json["usersWaitingForE2EKeys"]
    assert all(one.keys() == {"_id", "public_key"} for users in found.values() for one in users)
    return {rid: [one["_id"] for one in users] for rid, users in found.items()}


def suggest(world, person, **rooms):
    return world.client.post(
        f"{API}e2e.provideUsersSuggestedGroupKeys",
        json={"usersSuggestedGroupKeys": rooms},
        headers=person.headers,
    )


def change(world, person, **keys):
    row = world.session.get(Subscription, (person.id, "r1"))
    for name, key in keys.items():
        setattr(row, name, key)
    world.session.commit()


def wait(world, person, since):
    world.session.add(Waiting(room_id="r1", user_id=person.id, since=since))
    world.session.commit()


def test_users_without_a_key_are_listed_with_their_public_keys(world, people, room):
    ann, bob, carl, *_ = people
    change(world, ann, e2e_key="K")
    change(world, bob, suggested_key="S")
    users = [{"_id": one.id, "e2e": {"public_key": "PUB"}} for one in (bob, carl)]
    assert without_key(world, ann).json == {"users": users, "success": True}


def test_users_without_a_key_are_listed_for_members_only(world, people, room):
    for rid in ("r1", "nowhere"):
        answer = without_key(world, people[4], rid)
        assert (answer.status_code, answer.json["error"]) == (
            400,
            "Invalid room [error-invalid-room]",
        )
        assert answer.json["details"] == {"method": "e2e.getUsersOfRoomWithoutKey"}


def test_a_query_that_does_not_fit_is_refused(world, people):
    for name, query, words in (
        ("getUsersOfRoomWithoutKey", "", "must have required property 'rid'"),
        ("getUsersOfRoomWithoutKey", "rid=r1&x=1", "must NOT have additional properties"),
        ("fetchUsersWaitingForGroupKey", "", "must have required property 'roomIds'"),
        (
            "fetchUsersWaitingForGroupKey",
            "&".join(["roomIds=r"] * 1001),
            "must NOT have more than 1000 items",
        ),
    ):
        answer = world.client.get(f"{API}e2e.{name}?{query}", headers=people[0].headers)
        assert (answer.status_code, answer.json["errorType"]) == (400, "error-invalid-params")
        assert answer.json["error"].startswith(words)
        assert world.client.get(f"{API}e2e.{name}?{query}").status_code == 401


def test_who_waits_is_listed_by_room_for_who_has_neither_key_nor_suggestion(world, people, room):
    ann, bob, carl, *_ = people
    assert waiting(world, ann) == {"r1": [bob.id, carl.id]}
    assert waiting(world, bob) == {"r1": [ann.id, carl.id]}
    change(world, bob, suggested_key="S")
    assert waiting(world, ann) == {"r1": [carl.id]}
    change(world, carl, e2e_key="K")
    assert waiting(world, ann) == {}


def test_who_has_waited_longest_is_listed_first(world, people, room):
    wait(world, people[2], 1)
    wait(world, people[1], 2)
    assert waiting(world, people[0]) == {"r1": [people[2].id, people[1].id]}


def test_waiting_lists_are_those_of_own_encrypted_rooms_only(world, people, room):
    ann, bob, _, _, eve = people
    world.room("theirs", bob, eve, keys=False)
    world.room("open", ann, bob, encrypted=False, keys=False)
    for query in ("roomIds=r1&roomIds=theirs&roomIds=open", "roomIds[]=r1&roomIds[]=theirs"):
        assert waiting(world, ann, query).keys() == {"r1"}
    assert waiting(world, eve, "roomIds=r1&roomIds=nowhere") == {}


def test_a_waiting_list_has_fifty_people_of_each_room(world, people):
    session = world.session
    session.add_all(Room(id=rid, encrypted=True) for rid in ("r1", "r2"))
    session.flush()
    users = [make_user(session, f"user{n:02}") for n in range(52)]
    session.add_all(
        KeyPair(account_id=one.id, public_key="P", private_key="", set_at=1) for one in users
    )
    rows = [(rid, id) for rid in ("r1", "r2") for id in (people[0].id, *(u.id for u in users))]
    session.add_all(Subscription(user_id=id, room_id=rid) for rid, id in rows)
    session.add(Waiting(room_id="r2", user_id=users[-1].id, since=1))
    session.add_all(Waiting(room_id="r1", user_id=one.id, since=1) for one in users)
    session.commit()
    found = waiting(world, people[0], "roomIds=r1&roomIds=r2")
    assert {rid: len(ids) for rid, ids in found.items()} == {"r1": 50, "r2": 50}
    assert found["r2"][0] == users[-1].id
    asked = {"query_string": {"roomId": "r1"}, "headers": people[0].headers}
    room = world.client.get(f"{API}rooms.info", **asked).json["room"]
    assert len(room["usersWaitingForE2EKeys"]) == 50


def test_provided_keys_become_suggestions_and_end_the_wait(world, people, room):
    ann, bob, carl, *_ = people
    wait(world, bob, 1)
    wait(world, carl, 1)
    given = {"_id": bob.id, "key": "S", "oldKeys": [OLD]}
    assert suggest(world, ann, r1=[given]).json == {"success": True}
    [row] = world.subscriptions(bob)
    assert (row.e2e_key, row.suggested_key) == (None, "S")
    assert json.loads(row.suggested_old_keys) == [KEPT]
    assert (world.waiting(bob), world.waiting(carl)) == (set(), {"r1"})
    assert waiting(world, ann) == {"r1": [carl.id]}


def test_provided_keys_without_old_ones_replace_all_of_the_suggestion_before(world, people, room):
    bob = people[1]
    suggest(world, people[0], r1=[{"_id": bob.id, "key": "S", "oldKeys": [OLD]}])
    suggest(world, people[2], r1=[{"_id": bob.id, "key": "T"}])
    [row] = world.subscriptions(bob)
    assert (row.suggested_key, row.suggested_old_keys) == ("T", None)


def test_of_provided_old_keys_the_ten_newest_are_kept(world, people, room):
    keys = [OLD | {"e2eKeyId": str(n)} for n in range(12)]
    suggest(world, people[0], r1=[{"_id": people[1].id, "key": "S", "oldKeys": keys}])
    [row] = world.subscriptions(people[1])
    assert [one["e2eKeyId"] for one in json.loads(row.suggested_old_keys)] == list("0123456789")


def test_rooms_of_others_and_strangers_are_passed_over_in_silence(world, people, room):
    ann, bob, _, _, eve = people
    world.room("theirs", bob, keys=False)
    given = [{"_id": one.id, "key": "S"} for one in (bob, eve)]
    assert suggest(world, ann, r1=given, theirs=given, nowhere=given).status_code == 200
    rows = {row.room_id: row.suggested_key for row in world.subscriptions(bob)}
    assert rows == {"r1": "S", "theirs": None}
    assert world.rows(Subscription, user_id=eve.id) == []


def test_names_that_do_not_exist_cost_the_database_nothing(world, people, room):
    seen = []
    nobody = [{"_id": f"nobody{n}", "key": "S"} for n in range(100)]
    bob = {"_id": people[1].id, "key": "S"}
    rooms = {f"nowhere{n}": nobody[:1] for n in range(100)} | {"r1": [*nobody, bob, bob]}

    def note(_connection, _cursor, statement, rows, _context, many):
        seen.extend([statement] * (len(rows) if many else 1))

    event.listen(world.engine, "before_cursor_execute", note)
    assert suggest(world, people[0], **rooms).status_code == 200
    assert 0 < len(seen) < 20
    assert [row.suggested_key for row in world.subscriptions(people[1])] == ["S"]


@only_postgresql
def test_members_are_suggested_to_in_the_order_in_which_a_restart_locks_them(world):
    people = [world.person(name) for name in ("B", "a")]
    world.room("r1", *people, keys=False)
    key = "ALTER TABLE subscriptions ALTER user_id TYPE varchar(255) COLLATE "
    world.session.execute(text(f'{key}"und-x-icu"'))  # in which a comes before B, as in most
    world.session.commit()
    locked = [row.user_id for row in LOCK_MEMBERS(world.session, {"room": "r1"})]
    world.session.rollback()
    seen = []

    def note(_connection, _cursor, statement, rows, _context, many):
        if "SET suggested_key" in statement or "suggested_key=" in statement:
            seen.extend(row["user"] for row in (rows if many else [rows]))

    event.listen(world.engine, "before_cursor_execute", note)
    suggest(world, people[0], r1=[{"_id": one.id, "key": "S"} for one in people])
    assert seen == locked == [one.id for one in reversed(people)]


def test_suggestions_that_do_not_fit_are_refused_and_none_is_stored(world, people, room):
    bob = people[1].id
    good = {"_id": bob, "key": "S"}
    for rooms, words in (
        ({"r1": good}, "must be array"),
        ({"r1": [good, {"_id": bob}]}, "must have required property 'key'"),
        ({"r1": [good, {"_id": bob, "key": ""}]}, "must NOT have fewer than 1 characters"),
        ({"r1": [good | {"key": "x" * 4097}]}, "must NOT have more than 4096 characters"),
        ({"r1": [good | {"oldKeys": [OLD | {"E2EKey": "x" * 4097}]}]}, "must NOT have more than"),
        ({"r1": [good | {"oldKeys": [OLD | {"e2eKeyId": "x" * 256}]}]}, "must NOT have more than"),
        ({"r1": [good, "bob"]}, "must be object"),
        ({"r1": [good, None]}, "must be object"),
        ({"r1": [good | {"oldKeys": [OLD | {"ts": "soon"}]}]}, "must match format date-time"),
        ({"r1": [good | {"oldKeys": [OLD | {"ts": "2026-01-01"}]}]}, "must match format"),
        ({"r1": [good | {"oldKeys": [OLD | {"x": 1}]}]}, "must NOT have additional properties"),
    ):
        answer = suggest(world, people[0], **rooms)
        assert (answer.status_code, answer.json["errorType"]) == (400, "invalid-params"), rooms
        assert answer.json["error"].startswith(words)
    assert [row.suggested_key for row in world.rows(Subscription)] == [None] * 4
