"""Private groups over HTTP: who may do what, and what is answered."""

import pytest

from e2ereset.server.rooms.models import Room, Subscription, Waiting

NOT_FOUND = "error-room-not-found"


@pytest.fixture
def secret(post, ann):
    """The id of an encrypted group of Ann's."""
    made = post(ann, "groups.create", name="secret", extraData={"encrypted": True})
    return made.json["group"]["_id"]


def members(world, room_id):
    return [row.user_id for row in world.rows(Subscription, room_id=room_id)]


def test_a_group_is_answered_as_clients_read_it(post, ann, ben):
    extra = {"encrypted": True, "topic": "keys", "broadcast": False, "federated": False}
    body = {"name": "secret", "members": ["BEN", "nobody", "ann"], "extraData": extra}
    answer = post(ann, "groups.create", readOnly=True, **body)
    assert answer.status_code == 200
    group = answer.json["group"]
    assert len(group.pop("_id")) == 17
    at = "2027-01-15T08:00:00.000Z"
    assert group == {
        "t": "p",
        "name": "secret",
        "fname": "secret",
        "u": {"_id": ann.id, "username": "ann"},
        "topic": "keys",
        "usersCount": 2,
        "msgs": 0,
        "ro": True,
        "broadcast": False,
        "encrypted": True,
        "usersWaitingForE2EKeys": [{"userId": ben.id, "ts": at}],
        "ts": at,
        "_updatedAt": at,
    }


UNFIT = [
    ({}, "must have required property 'name'"),
    ({"name": 1}, "must be string"),
    ({"name": ""}, "must NOT have fewer than 1 characters"),
    ({"name": "a", "members": "ben"}, "must be array"),
    ({"name": "a", "members": ["b"] * 501}, "must NOT have more than 500 items"),
    ({"name": "a", "extraData": 1}, "must be object"),
    ({"name": "a", "extraData": {"topic": "x" * 5001}}, "must NOT have more than 5000 characters"),
    ({"name": "a", "extraData": {"encrypted": "yes"}}, "must be boolean"),
    ({"name": "a", "extraData": {"broadcast": True}}, "must be equal to constant"),
    ({"name": "a", "excludeSelf": True}, "must be equal to constant"),
    ({"name": "a", "colour": "red"}, "must NOT have additional properties"),
]


def test_a_group_that_does_not_fit_the_schema_is_refused(world, post, ann):
    for body, words in UNFIT:
        answer = post(ann, "groups.create", **body)
        assert (answer.status_code, answer.json["errorType"]) == (400, "invalid-params"), body
        assert words in answer.json["error"], body
    assert not world.rows(Room)


def test_a_name_that_no_group_can_have_is_refused(post, ann):
    for name in ("two words", "a/b", "x" * 129, "caf\u00e9"):
        answer = post(ann, "groups.create", name=name)
        words = f"{name} is not a valid room name. [error-invalid-room-name]"
        assert answer.json["error"] == words


def test_who_is_in_a_group_of_the_name_makes_no_second_one(post, ann, secret):
    answer = post(ann, "groups.create", name="secret")
    assert answer.json["error"] == (
        "A channel with name 'secret' exists [error-duplicate-channel-name]"
    )
    assert answer.json["details"]["channel_name"] == "secret"


def test_a_stranger_does_not_learn_that_a_name_is_taken(post, ben, secret):
    assert post(ben, "groups.create", name="secret").status_code == 200


def test_who_may_not_create_groups_is_forbidden_to(world, post, ann):
    world.permit("create-p", "user", allowed=False)
    answer = post(ann, "groups.create", name="secret")
    assert answer.status_code == 403
    assert answer.json == {"success": False, "error": "unauthorized"}


def test_a_group_needs_a_live_sign_in(world, post, ann):
    world.runtime.accounts.end_sessions(world.session, ann.id)
    world.session.commit()
    assert post(ann, "groups.create", name="secret").status_code == 401


def test_people_are_invited_by_any_of_their_names(world, post, ann, ben, secret):
    ways = {"userId": ben.id, "username": "Ben", "user": "BEN"}
    for way in (*ways.items(), ("userIds", [ben.id]), ("usernames", ["ben"])):
        answer = post(ann, "groups.invite", roomId=secret, **dict([way]))
        assert answer.json["group"]["usersCount"] == 2, way
        assert members(world, secret) == [ann.id, ben.id], way
        post(ben, "groups.leave", roomId=secret)


def test_who_is_invited_waits_for_the_key(world, post, ann, ben, secret):
    answer = post(ann, "groups.invite", roomName="secret", username="ben")
    (queued,) = answer.json["group"]["usersWaitingForE2EKeys"]
    assert queued["userId"] == ben.id
    assert [row.user_id for row in world.rows(Waiting)] == [ben.id]


def test_who_is_in_the_group_stays_in_it_with_the_key(world, post, ann, secret):
    world.session.get(Subscription, (ann.id, secret)).e2e_key = "K"
    world.session.commit()
    assert post(ann, "groups.invite", roomId=secret, username="ann").status_code == 200
    (row,) = world.rows(Subscription)
    assert (row.e2e_key, row.joined_at) == ("K", world.clock.now)
    assert [act for act, *_ in world.outcomes()] == ["create-room"]


NOT_INVITED = [
    ({"username": "ben"}, "error-room-param-not-provided"),
    ({"roomId": "", "username": "ben"}, "error-room-param-not-provided"),
    ({"roomId": "no", "username": "ben"}, NOT_FOUND),
    ({"roomName": "no", "username": "ben"}, NOT_FOUND),
    ({"roomName": "secret"}, "error-users-params-not-provided"),
    ({"roomName": "secret", "usernames": [""]}, "error-users-params-not-provided"),
    ({"roomName": "secret", "username": "nobody"}, "error-empty-invite-list"),
    ({"roomName": "secret", "userId": "ben"}, "error-empty-invite-list"),
]


def test_an_invitation_to_nothing_or_of_nobody_is_refused(post, ann, ben, secret):
    codes = [post(ann, "groups.invite", **body).json["errorType"] for body, _ in NOT_INVITED]
    assert codes == [code for _, code in NOT_INVITED]


def test_a_stranger_does_not_learn_that_a_group_is_there(post, ben, secret):
    answers = [
        post(ben, "groups.invite", roomId=room_id, username="ben") for room_id in (secret, "no")
    ]
    assert [answer.json["errorType"] for answer in answers] == [NOT_FOUND] * 2


def test_a_plain_member_may_not_invite(world, post, ann, ben, secret):
    world.person("eve", key=False)
    post(ann, "groups.invite", roomId=secret, username="ben")
    answer = post(ben, "groups.invite", roomId=secret, username="eve")
    assert answer.json["error"] == "Not allowed [error-not-allowed]"
    assert members(world, secret) == [ann.id, ben.id]
    world.permit("add-user-to-joined-room", "user")
    assert post(ben, "groups.invite", roomId=secret, username="eve").status_code == 200


def test_who_may_invite_to_any_group_need_not_be_in_it(world, post, ben, secret):
    world.permit("add-user-to-any-p-room", "user")
    assert post(ben, "groups.invite", roomId=secret, username="ben").status_code == 200
    assert ben.id in members(world, secret)


def test_a_disabled_account_is_not_invited(world, post, ann, secret):
    world.person("off", key=False, active=False)
    answer = post(ann, "groups.invite", roomId=secret, username="off")
    assert answer.json["errorType"] == "error-empty-invite-list"


def test_who_invited_whom_where_is_in_the_audit_log(world, post, ann, ben, secret):
    post(ann, "groups.invite", roomId=secret, username="ben")
    done = [("create-room", ann.id, secret), ("invite-to-room", ann.id, ben.id)]
    assert [row[:3] for row in world.outcomes()] == done
