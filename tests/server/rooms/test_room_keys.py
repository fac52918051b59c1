"""Room keys over HTTP: named, suggested, accepted, rejected, waited for (reference 3.2)."""

import pytest

from e2ereset.errors import NotSignedIn
from e2ereset.records import Action, ActionRequest, Caller, Proof
from e2ereset.server.rooms.acts import Acts
from e2ereset.server.rooms.keys.service import RoomKeys
from e2ereset.server.rooms.models import Room, Subscription, Waiting
from e2ereset.server.sessions.tokens import sign_in_of
from tests.kit.client import API

VALID = {"rid": "r1", "keyID": "id", "uid": "id-of-bob", "key": "K"}
FIELDS = {
    "setRoomKeyID": ("rid", "keyID"),
    "updateGroupKey": ("uid", "rid", "key"),
    "acceptSuggestedGroupKey": ("rid",),
    "rejectSuggestedGroupKey": ("rid",),
}
SUCCESS = {"success": True}


@pytest.fixture
def people(world):
    """Ann and bob, and carl, who is in no room of theirs."""
    return [world.person(name, key=False) for name in ("ann", "bob", "carl")]


@pytest.fixture
def room(world, people):
    """An encrypted room of ann and bob; nobody has its key."""
    world.room("r1", *people[:2], keys=False)


def post(world, person, name, **body):
    return world.client.post(f"{API}e2e.{name}", json=body, headers=person.headers)


def refused(answer, words, code, method):
    details = {"details": {"method": f"e2e.{method}"}}
    expected = {"success": False, "error": f"{words} [{code}]", "errorType": code, **details}
    return (answer.status_code, answer.json) == (400, expected)


def subscription(world, person):
    [row] = world.rows(Subscription, user_id=person.id, room_id="r1")
    return row


def suggest(world, ann, bob, key="S"):
    assert post(world, ann, "updateGroupKey", rid="r1", uid=bob.id, key=key).json == SUCCESS


def waits(world, *people):
    for person in people:
        world.session.add(Waiting(room_id="r1", user_id=person.id, since=1))
    world.session.commit()


def test_without_a_sign_in_each_is_401_before_its_body_is_looked_at(world):
    for name in (*FIELDS, "requestSubscriptionKeys"):
        answer = world.client.post(f"{API}e2e.{name}", json={"unknown": 1})
        assert (answer.status_code, answer.json["status"]) == (401, "error"), name


def test_a_field_that_is_missing_is_named(world, people):
    for name, field in [(one, field) for one in FIELDS for field in FIELDS[one]]:
        body = {known: VALID[known] for known in FIELDS[name] if known != field}
        answer = post(world, people[0], name, **body)
        assert (answer.status_code, answer.json["errorType"]) == (400, "invalid-params")
        assert answer.json["error"].startswith(f"must have required property '{field}'")


def test_a_body_that_does_not_fit_is_refused(world, people):
    empty, more = "must NOT have fewer than 1 characters", "must NOT have additional properties"
    for name, body, words in (
        ("setRoomKeyID", {"keyID": " "}, empty),
        ("setRoomKeyID", {"keyID": "x" * 256}, "must NOT have more than 255 characters"),
        ("updateGroupKey", {"key": "\n"}, empty),
        ("updateGroupKey", {"key": "x" * 4097}, "must NOT have more than 4096 characters"),
        (
            "resetRoomKey",
            {"rid": "r1", "e2eKeyId": "id", "e2eKey": "x" * 4097},
            "must NOT have more than 4096 characters",
        ),
        ("updateGroupKey", {"key": 1}, "must be string"),
        ("acceptSuggestedGroupKey", {"extra": 1}, more),
        ("requestSubscriptionKeys", {"rid": "r1"}, more),
    ):
        given = {known: VALID[known] for known in FIELDS.get(name, ())}
        answer = post(world, people[0], name, **given | body)
        assert answer.status_code == 400, name
        assert answer.json["error"].startswith(words), name


def test_set_room_key_id_names_the_key_of_a_room_once(world, people, room):
    assert post(world, people[0], "setRoomKeyID", rid="r1", keyID="first").json == SUCCESS
    answer = post(world, people[1], "setRoomKeyID", rid="r1", keyID="second")
    code = "error-room-e2e-key-already-exists"
    assert refused(answer, "E2E Key ID already exists", code, "setRoomKeyID")
    assert [one.e2e_key_id for one in world.rows(Room)] == ["first"]


def test_set_room_key_id_does_not_tell_a_stranger_which_rooms_exist(world, people, room):
    for rid in ("r1", "nowhere", "x" * 300):
        answer = post(world, people[2], "setRoomKeyID", rid=rid, keyID="id")
        assert refused(answer, "Invalid room", "error-invalid-room", "setRoomKeyID")
    assert [one.e2e_key_id for one in world.rows(Room)] == [None]


def test_update_group_key_keeps_the_callers_own_key_and_ends_the_wait(world, people, room):
    ann, bob, _ = people
    waits(world, ann, bob)
    assert post(world, ann, "updateGroupKey", rid="r1", uid=ann.id, key="K").json == SUCCESS
    assert subscription(world, ann).e2e_key == "K"
    assert (world.waiting(ann), world.waiting(bob)) == (set(), {"r1"})


def test_update_group_key_only_suggests_a_key_to_somebody_else(world, people, room):
    suggest(world, people[0], people[1])
    row = subscription(world, people[1])
    assert (row.e2e_key, row.suggested_key) == (None, "S")
    assert subscription(world, people[0]).suggested_key is None


def test_update_group_key_of_no_member_or_for_none_does_nothing_and_says_nothing(
    world, people, room
):
    ann, bob, carl = people
    for by, user in ((carl, carl), (carl, bob), (ann, carl)):
        answer = post(world, by, "updateGroupKey", rid="r1", uid=user.id, key="K")
        assert answer.json == SUCCESS
    rows = world.rows(Subscription)
    assert [(row.e2e_key, row.suggested_key) for row in rows] == [(None, None)] * 2


def test_accepting_makes_the_suggestion_the_key_and_ends_the_wait(world, people, room):
    ann, bob, _ = people
    waits(world, ann, bob)
    suggest(world, ann, bob)
    assert post(world, bob, "acceptSuggestedGroupKey", rid="r1").json == SUCCESS
    row = subscription(world, bob)
    assert (row.e2e_key, row.suggested_key) == ("S", None)
    assert (world.waiting(ann), world.waiting(bob)) == ({"r1"}, set())


@pytest.mark.parametrize(("own", "kept"), [(None, '["theirs"]'), ('["own"]', '["own"]')])
def test_accepting_takes_old_keys_only_where_there_are_none(world, people, own, kept):
    world.session.add(Room(id="r1", encrypted=True))
    given = {"suggested_key": "S", "suggested_old_keys": '["theirs"]', "old_keys": own}
    world.session.add(Subscription(user_id=people[1].id, room_id="r1", **given))
    world.session.commit()
    post(world, people[1], "acceptSuggestedGroupKey", rid="r1")
    row = subscription(world, people[1])
    assert (row.old_keys, row.suggested_old_keys) == (kept, None)


def test_a_change_of_keys_is_new_to_clients_who_ask_what_is_new(world, people, room):
    ann, bob, _ = people
    for name, body, changed in (
        ("updateGroupKey", {"rid": "r1", "uid": ann.id, "key": "K"}, ann),
        ("updateGroupKey", {"rid": "r1", "uid": bob.id, "key": "S"}, bob),
    ):
        assert post(world, ann, name, **body).json == SUCCESS
        assert subscription(world, changed).updated_at == world.clock.now
    for name in ("acceptSuggestedGroupKey", "rejectSuggestedGroupKey"):
        suggest(world, ann, bob)
        world.clock.now += 1
        assert post(world, bob, name, rid="r1").json == SUCCESS
        assert subscription(world, bob).updated_at == world.clock.now
    post(world, bob, "setRoomKeyID", rid="r1", keyID="id")
    assert [one.updated_at for one in world.rows(Room)] == [world.clock.now]


def test_rejecting_drops_the_suggestion_and_waits_again(world, people, room):
    suggest(world, people[0], people[1])
    assert post(world, people[1], "rejectSuggestedGroupKey", rid="r1").json == SUCCESS
    row = subscription(world, people[1])
    assert (row.e2e_key, row.suggested_key) == (None, None)
    assert world.waiting(people[1]) == {"r1"}


@pytest.mark.parametrize("name", ["acceptSuggestedGroupKey", "rejectSuggestedGroupKey"])
def test_without_a_suggestion_or_a_subscription_there_is_nothing_to_answer(
    world, people, room, name
):
    answer = post(world, people[1], name, rid="r1")
    words, code = "No suggested key available", "error-no-suggested-key-available"
    assert refused(answer, words, code, name)
    for person, rid in ((people[2], "r1"), (people[1], "nowhere")):
        answer = post(world, person, name, rid=rid)
        words, code = "Subscription not found", "error-subscription-not-found"
        assert refused(answer, words, code, name)
    assert world.rows(Waiting) == []


def test_requesting_keys_waits_in_encrypted_rooms_without_a_key(world, people, room):
    world.room("has", people[0])
    world.room("open", people[0], encrypted=False, keys=False)
    assert post(world, people[0], "requestSubscriptionKeys").json == SUCCESS
    assert (world.waiting(people[0]), world.waiting(people[1])) == ({"r1"}, set())


def test_a_refusal_is_in_the_audit_log(world, people, room):
    post(world, people[2], "setRoomKeyID", rid="r1", keyID="id")
    assert world.outcomes() == [("set-room-key-id", people[2].id, "", "", "error-invalid-room")]


def test_a_sign_in_that_a_reset_has_just_ended_keeps_no_key(world, people, room):
    ann = people[0]
    sign_in = sign_in_of(ann.id, ann.headers["X-Auth-Token"])
    caller, action = Caller(account=world.account(ann), sign_in=sign_in), Action(name="any")
    asked = ActionRequest(caller=caller, proof=Proof(), action=action, now=world.clock.now)
    keys = RoomKeys(Acts(world.runtime))
    keys.update_key(asked, "r1", ann.id, "before")
    with world.runtime.transactions.begin() as session:
        world.runtime.accounts.end_sessions(session, ann.id)
    with pytest.raises(NotSignedIn):
        keys.update_key(asked, "r1", ann.id, "after")
    assert subscription(world, ann).e2e_key == "before"
