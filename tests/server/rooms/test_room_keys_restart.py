"""A room is restarted with a new key; what it had becomes old (reference 3.2, resetRoomKey)."""

import json
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import pytest

from e2ereset.errors import NotSignedIn
from e2ereset.records import Action, ActionRequest, Caller, Proof
from e2ereset.server.rooms.acts import Acts
from e2ereset.server.rooms.keys.refusals import RestartFailed, RestartInProgress
from e2ereset.server.rooms.keys.restart import NewKey, Restarts
from e2ereset.server.rooms.keys.statements import SET_KEY_ID, SUGGEST
from e2ereset.server.rooms.models import Room, RoomRole, Subscription, Waiting
from tests.kit.client import API
from tests.kit.live import at_once

SUCCESS = {"success": True}
FORBIDDEN = (403, {"success": False, "error": "error-not-allowed"})
FAILED = (400, {"success": False, "error": "error-e2e-key-reset-failed"})
IN_PROGRESS = (400, {"success": False, "error": "error-e2e-key-reset-in-progress"})
PERMISSION = "toggle-room-e2e-encryption"


@pytest.fixture
def people(world):
    """Ann, who owns the room, bob and carl."""
    return [world.person(name) for name in ("ann", "bob", "carl")]


@pytest.fixture
def room(world, people):
    """An encrypted room of them; all have its key, a suggestion and an old key."""
    world.room("r1", *people)
    world.session.get(Room, "r1").e2e_key_id = "first"
    own(world, people[0])


def own(world, person, rid="r1"):
    world.session.add(RoomRole(user_id=person.id, room_id=rid, role="owner"))
    world.session.commit()


def restart(world, person, rid="r1", key_id="second", key="NEW"):
    body = {"rid": rid, "e2eKeyId": key_id, "e2eKey": key}
    return world.client.post(f"{API}e2e.resetRoomKey", json=body, headers=person.headers)


def answered(response):
    return response.status_code, response.json


def subscription(world, person):
    [row] = world.rows(Subscription, user_id=person.id, room_id="r1")
    return row


def key_id(world, rid="r1"):
    [row] = world.rows(Room, id=rid)
    return row.e2e_key_id


def change(world, model, key, **facts):
    row = world.session.get(model, key)
    for name, value in facts.items():
        setattr(row, name, value)
    world.session.commit()


def request_of(world, person, sign_in=""):
    caller = Caller(account=world.account(person), sign_in=sign_in)
    action = Action(name="reset-room-key")
    return ActionRequest(caller=caller, proof=Proof(), action=action, now=world.clock.now)


def test_the_room_and_the_caller_get_the_new_key_and_all_others_wait(world, people, room):
    ann, bob, carl = people
    change(world, Subscription, (carl.id, "r1"), e2e_key=None, suggested_key=None)
    world.session.add(Waiting(room_id="r1", user_id=carl.id, since=1))
    world.session.commit()
    assert restart(world, ann).json == SUCCESS
    assert key_id(world) == "second"
    assert [subscription(world, one).e2e_key for one in people] == ["NEW", None, None]
    queue = {row.user_id: row.since for row in world.rows(Waiting)}
    assert queue == {bob.id: world.clock.now, carl.id: 1}


def test_the_present_key_comes_in_front_of_the_old_ones(world, people, room):
    restart(world, people[0])
    newest = {"e2eKeyId": "first", "ts": "2027-01-15T08:00:00.000Z", "E2EKey": "K"}
    for person in people:
        row = subscription(world, person)
        assert json.loads(row.old_keys) == [newest, 1]
        assert (row.suggested_key, row.suggested_old_keys) == (None, None)


def test_a_subscription_keeps_ten_old_keys(world, people, room):
    for n in range(12):
        assert restart(world, people[0], key_id=str(n), key=f"K{n}").json == SUCCESS
    old = json.loads(subscription(world, people[0]).old_keys)
    assert [one["E2EKey"] for one in old] == [f"K{n}" for n in range(10, 0, -1)]
    assert [one["e2eKeyId"] for one in old] == [str(n) for n in range(10, 0, -1)]


def test_who_had_only_a_suggestion_gets_no_old_key_of_it(world, people, room):
    change(world, Subscription, (people[1].id, "r1"), e2e_key=None, old_keys=None)
    restart(world, people[0])
    row = subscription(world, people[1])
    assert (row.suggested_key, row.old_keys) == (None, None)


def test_a_member_without_the_permission_in_that_room_is_403(world, people, room):
    world.room("other", people[1])
    own(world, people[1], "other")
    assert answered(restart(world, people[1])) == FORBIDDEN
    assert answered(restart(world, people[1], "nowhere")) == FORBIDDEN
    assert restart(world, people[1], "other").json == SUCCESS
    assert key_id(world) == "first"


def test_a_permission_that_was_revoked_holds_no_more(world, people, room):
    world.permit(PERMISSION, "owner", allowed=False)
    assert answered(restart(world, people[0])) == FORBIDDEN


def test_an_administrator_may_in_own_rooms_and_learns_nothing_of_others(world, people, room, admin):
    refused = (400, {"success": False, "error": "error-not-allowed"})
    assert answered(restart(world, admin)) == refused
    assert answered(restart(world, admin, "nowhere")) == refused
    world.session.add(Subscription(user_id=admin.id, room_id="r1"))
    world.session.commit()
    assert restart(world, admin).json == SUCCESS


def test_what_cannot_be_restarted_stays_as_it_was_and_blocks_nothing(world, people, room):
    ann = people[0]
    change(world, Room, "r1", encrypted=False)
    assert answered(restart(world, ann)) == FAILED
    change(world, Room, "r1", encrypted=True)
    assert answered(restart(world, ann, key_id="first")) == FAILED
    own_pair = world.person("dan", key=False, roles=["admin"])
    world.session.add(Subscription(user_id=own_pair.id, room_id="r1"))
    world.session.commit()
    assert answered(restart(world, own_pair)) == FAILED
    assert subscription(world, ann).e2e_key == "K"
    assert world.rows(Waiting) == []
    assert restart(world, ann).json == SUCCESS


def test_a_field_that_is_missing_or_blank_is_refused(world, people):
    body = {"rid": "r1", "e2eKeyId": "second", "e2eKey": "NEW"}
    path, headers = f"{API}e2e.resetRoomKey", people[0].headers
    for name in body:
        sent = {known: value for known, value in body.items() if known != name}
        answer = world.client.post(path, json=sent, headers=headers)
        assert answer.json["error"].startswith(f"must have required property '{name}'")
    for name in ("e2eKeyId", "e2eKey"):
        answer = world.client.post(path, json=body | {name: " "}, headers=headers)
        assert (answer.status_code, answer.json["errorType"]) == (400, "invalid-params")
    assert world.client.post(path, json=body).status_code == 401


def test_while_one_worker_restarts_a_room_no_other_worker_does(
    world, people, room, make_server, config
):
    ann = people[0]
    world.room("other", ann)
    own(world, ann, "other")
    twin = world.through(make_server(config))
    with Restarts(Acts(twin.runtime)).lease(request_of(twin, ann), "r1"):
        assert answered(restart(world, ann)) == IN_PROGRESS
        assert answered(restart(world, people[1])) == FORBIDDEN
        assert restart(world, ann, "other").json == SUCCESS
    assert restart(world, ann).json == SUCCESS


def test_a_restart_whose_worker_was_killed_blocks_for_ten_seconds_only(world, people, room):
    restarts, asked = Restarts(Acts(world.runtime)), request_of(world, people[0])
    killed = restarts.lease(asked, "r1")
    killed.__enter__()
    world.clock.now += 9
    with pytest.raises(RestartInProgress):
        restarts.restart(request_of(world, people[0]), NewKey(room_id="r1", key_id="x", key="X"))
    world.clock.now += 1
    assert restart(world, people[0]).json == SUCCESS
    killed.__exit__(None, None, None)


def test_who_was_overtaken_changes_nothing_and_frees_nobody_elses_lock(world, people, room):
    restarts, ann = Restarts(Acts(world.runtime)), people[0]
    slow = restarts.lease(request_of(world, ann), "r1")
    lease = slow.__enter__()
    world.clock.now += 10
    with restarts.lease(request_of(world, ann), "r1"):
        late = NewKey(room_id="r1", key_id="late", key="LATE")
        with pytest.raises(RestartFailed):
            restarts.restart_held(request_of(world, ann), late, lease)
        slow.__exit__(None, None, None)
        assert answered(restart(world, ann)) == IN_PROGRESS
    assert (key_id(world), subscription(world, ann).e2e_key) == ("first", "K")


@pytest.mark.parametrize("fault", [RestartFailed, NotSignedIn, ZeroDivisionError])
def test_the_lock_is_released_on_every_path(world, people, room, fault):
    restarts, asked = Restarts(Acts(world.runtime)), request_of(world, people[0])
    with pytest.raises(fault), restarts.lease(asked, "r1"):
        raise fault
    assert restart(world, people[0]).json == SUCCESS


def test_of_restarts_at_once_each_that_succeeds_keeps_the_key_before(world, people, room):
    ann, ids = people[0], [f"id{n}" for n in range(4)]
    calls = [partial(restart, world.through(world.app), ann, key_id=id, key=id) for id in ids]
    answers = [answered(one) for one in at_once(calls)]
    won = [id for id, answer in zip(ids, answers, strict=True) if answer == (200, SUCCESS)]
    assert won
    assert set(map(str, answers)) <= {str((200, SUCCESS)), str(IN_PROGRESS)}
    row = subscription(world, ann)
    before = [one["E2EKey"] for one in json.loads(row.old_keys)[:-1]]
    assert sorted([row.e2e_key, *before]) == sorted(["K", *won])
    assert row.e2e_key == key_id(world)


def test_a_key_that_is_suggested_meanwhile_is_one_of_before_the_restart(world, people, room):
    ann, bob, _ = people
    keys = dict.fromkeys(("e2e_key", "suggested_key", "suggested_old_keys"))
    change(world, Subscription, (bob.id, "r1"), **keys)
    with ThreadPoolExecutor(1) as pool:
        with world.runtime.transactions.begin() as session:
            given = {"key": "OLD", "by": ann.id, "now": world.clock.now}
            assert SUGGEST(session, {"room": "r1", "user": bob.id, **given}).rowcount
            restarting = pool.submit(restart, world.through(world.app), ann)
            wait([restarting], timeout=0.3)  # it must not get past the suggestion
        assert restarting.result().json == SUCCESS
    assert subscription(world, bob).suggested_key is None
    assert world.waiting(bob) == {"r1"}


def test_an_old_key_without_an_id_can_be_handed_on(world, people, room):
    ann, _, carl = people
    change(world, Room, "r1", e2e_key_id=None)
    change(world, Subscription, (ann.id, "r1"), old_keys=None)
    assert restart(world, ann).json == SUCCESS
    path = f"{API}subscriptions.getOne?roomId=r1"
    old = world.client.get(path, headers=ann.headers).json["subscription"]["oldRoomKeys"]
    given = {"r1": [{"_id": carl.id, "key": "S", "oldKeys": old}]}
    path, body = f"{API}e2e.provideUsersSuggestedGroupKeys", {"usersSuggestedGroupKeys": given}
    assert world.client.post(path, json=body, headers=ann.headers).json == SUCCESS


def test_a_key_id_that_is_set_meanwhile_is_the_one_of_the_old_key(world, people, room):
    ann, bob, _ = people
    change(world, Room, "r1", e2e_key_id=None)
    restarts, asked = Restarts(Acts(world.runtime)), request_of(world, ann)
    new = NewKey(room_id="r1", key_id="second", key="NEW")
    with restarts.lease(asked, "r1") as lease, ThreadPoolExecutor(1) as pool:
        with world.runtime.transactions.begin() as session:
            named = {"room": "r1", "key_id": "first", "by": bob.id, "now": world.clock.now}
            assert SET_KEY_ID(session, named).rowcount
            restarting = pool.submit(restarts.restart_held, asked, new, lease)
            wait([restarting], timeout=0.3)  # it must not read the room's key id before
        restarting.result()
    assert json.loads(subscription(world, bob).old_keys)[0]["e2eKeyId"] == "first"


def test_a_restart_and_its_refusals_are_in_the_audit_log(world, people, room):
    restart(world, people[0])
    restart(world, people[1])
    rows = [row[:3] + row[4:] for row in world.outcomes()]
    assert rows == [
        ("reset-room-key", people[0].id, "r1", "done"),
        ("reset-room-key", people[1].id, "", "error-not-allowed"),
    ]
