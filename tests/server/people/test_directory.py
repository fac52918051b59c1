"""`users.info` and `users.list`: section 5.1 of the reference."""

import pytest

from tests.kit.client import API
from tests.kit.people import FORBIDDEN


def test_info_of_another_is_what_everybody_may_see(world, get, ann, eve):
    answer = get(ann, "users.info", username="EVE")
    assert answer.status_code == 200
    assert answer.json == {
        "user": {
            "_id": eve.id,
            "username": "eve",
            "name": "eve",
            "type": "user",
            "status": "offline",
            "active": True,
            "canViewAllInfo": False,
        },
        "success": True,
    }


def test_who_holds_view_full_other_user_info_sees_more(get, admin, eve):
    user = get(admin, "users.info", userId=eve.id).json["user"]
    assert user["emails"] == [{"address": "eve@x.org", "verified": True}]
    assert (user["roles"], user["canViewAllInfo"]) == (["user"], True)
    assert user["createdAt"] == user["_updatedAt"] == "2027-01-15T08:00:00.000Z"
    assert not {"services", "e2e"} & user.keys()


def test_services_are_for_oneself_only_and_e2e_for_nobody(world, get, eve):
    world.set_key(eve)
    user = get(eve, "users.info", username="eve").json["user"]
    assert user["services"] == {"password": False, "email2fa": {"enabled": True}}
    assert user["emails"]
    assert user["roles"] == ["user"]
    assert "e2e" not in user


@pytest.mark.parametrize("query", [{"userId": "x"}, {"username": "nobody"}, {"importId": "7"}])
def test_nobody_found_is_400_without_an_error_type(get, ann, query):
    answer = get(ann, "users.info", **query)
    assert (answer.status_code, answer.json) == (
        400,
        {"success": False, "error": "User not found."},
    )


def test_an_address_finds_its_owner_only_for_who_may_see_addresses(get, ann, admin):
    assert get(ann, "users.info", email="ann@x.org").json["error"] == "User not found."
    assert get(admin, "users.info", email="ann@x.org").json["user"]["_id"] == ann.id


@pytest.mark.parametrize(
    "query", [{}, {"userId": "a", "username": "b"}, {"userId": ""}, {"username": "x\0"}, {"x": 1}]
)
def test_exactly_one_selector_is_needed(get, ann, query):
    answer = get(ann, "users.info", **query)
    assert (answer.status_code, answer.json["errorType"]) == (400, "error-invalid-params")


def test_the_list_is_sorted_by_username_in_pages(world, get, ann, admin, eve):
    answer = get(ann, "users.list", count=2).json
    assert [user["username"] for user in answer["users"]] == ["ann", "eve"]
    assert (answer["count"], answer["offset"], answer["total"]) == (2, 0, 3)
    last = get(ann, "users.list", offset=2).json
    assert [user["username"] for user in last["users"]] == ["root"]
    down = get(ann, "users.list", sort='{"username":-1}').json
    assert [user["username"] for user in down["users"]] == ["root", "eve", "ann"]


def test_the_list_has_no_secret_and_others_addresses_for_administrators_only(get, ann, admin):
    own, other = get(ann, "users.list").json["users"]
    assert (own["username"], "emails" in own, "emails" in other) == ("ann", True, False)
    seen = get(admin, "users.list").json["users"]
    assert all("emails" in user for user in seen)
    assert not any({"services", "e2e"} & user.keys() for user in seen)


def test_the_list_needs_view_d_room(world, get, ann):
    world.permit("view-d-room", "user", allowed=False)
    answer = get(ann, "users.list")
    assert (answer.status_code, answer.json) == (403, FORBIDDEN)
    world.permit("view-d-room", "user")
    assert get(ann, "users.list").status_code == 200


@pytest.mark.parametrize("name", ["users.info", "users.list"])
def test_nobody_is_shown_to_a_stranger(world, name):
    assert world.client.get(API + name, query_string={"username": "bob"}).status_code == 401


def test_rooms_are_for_oneself_and_who_may_view_channels_of_others(world, get, ann, admin):
    world.room("r1", ann)
    for person in (ann, admin):
        user = get(person, "users.info", username="ann", includeUserRooms="true").json["user"]
        assert [room["rid"] for room in user["rooms"]] == ["r1"]
        assert not {"E2EKey", "E2ESuggestedKey", "oldRoomKeys"} & user["rooms"][0].keys()
    eve = world.person("eve", key=False)
    other = get(eve, "users.info", username="ann", includeUserRooms="true").json["user"]
    assert "rooms" not in other
    assert "rooms" not in get(ann, "users.info", username="ann").json["user"]
