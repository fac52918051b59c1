"""`permissions.*`: section 5.2 of the reference."""

import time

import pytest

from e2ereset.permissions.service import EDIT_OTHER_USER_E2EE
from e2ereset.server.roles.service import ACCESS
from tests.kit.people import FORBIDDEN, refused

TABLE = {"_id": EDIT_OTHER_USER_E2EE, "roles": ["admin", "bot"]}


@pytest.fixture
def held(get):
    """Who holds a permission, as somebody reads it."""

    def read(person, permission=EDIT_OTHER_USER_E2EE):
        rows = get(person, "permissions.listAll").json["update"]
        return next(row["roles"] for row in rows if row["_id"] == permission)

    return read


def test_list_all_is_for_whoever_is_signed_in(get, ann):
    answer = get(ann, "permissions.listAll").json
    assert (answer["remove"], answer["success"]) == ([], True)
    assert {
        "_id": "view-d-room",
        "roles": ["admin", "app", "bot", "guest", "user"],
        "_updatedAt": "1970-01-01T00:00:00.000Z",
    } in answer["update"]


def test_list_all_since_a_time_has_what_has_changed(world, get, ann):
    before = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    assert get(ann, "permissions.listAll", updatedSince=before).json["update"] == []
    world.permit(EDIT_OTHER_USER_E2EE, "bot")
    world.permit("view-d-room", "guest", allowed=False)
    changed = get(ann, "permissions.listAll", updatedSince=before).json["update"]
    assert [row["_id"] for row in changed] == [EDIT_OTHER_USER_E2EE, "view-d-room"]
    later = get(ann, "permissions.listAll", updatedSince="2999-01-01T00:00:00.000Z")
    assert later.json["update"] == []


def test_a_bad_date_is_refused(get, ann):
    for text in ("x", "", "2026-13-01"):
        answer = get(ann, "permissions.listAll", updatedSince=text)
        words = 'The "updatedSince" query parameter must be a valid date.'
        code = "error-roomId-param-invalid"
        assert refused(answer) == (400, f"{words} [{code}]", code)


def test_update_replaces_the_roles_and_answers_all_permissions(world, get, post, boss, held):
    answer = post(boss, "permissions.update", {"permissions": [TABLE]}, {})
    assert answer.status_code == 200
    assert len(answer.json["permissions"]) == len(get(boss, "permissions.listAll").json["update"])
    assert held(boss) == ["admin", "bot"]
    post(boss, "permissions.update", {"permissions": [TABLE | {"roles": ["admin"]}]})
    assert held(boss) == ["admin"]
    target = f"{EDIT_OTHER_USER_E2EE} bot"
    assert world.outcomes() == [
        ("grant-permission", boss.id, target, "", "done"),
        ("revoke-permission", boss.id, target, "", "done"),
    ]


def test_update_refuses_in_the_words_of_the_reference(post, boss, held):
    def update(*rows):
        return post(boss, "permissions.update", {"permissions": list(rows)}).json

    assert update(TABLE, {"_id": "fly", "roles": []}) == {
        "success": False,
        "error": "Invalid permission",
        "errorType": "error-invalid-permission",
    }
    assert update(TABLE, {"_id": "view-d-room", "roles": ["x"]}) == {
        "success": False,
        "error": "Invalid role",
        "errorType": "error-invalid-role",
    }
    assert update(TABLE | {"roles": ["bot", "bot"]})["errorType"] == "invalid-params"
    assert post(boss, "permissions.update", {"permissions": {}}).json["error"] == (
        "must be array [invalid-params]"
    )
    assert held(boss) == ["admin"]


def test_a_role_is_added_and_removed(post, boss, held):
    body = {"permissionId": EDIT_OTHER_USER_E2EE, "role": "bot"}
    assert post(boss, "permissions.addRole", body, {}).json == {"success": True}
    assert held(boss) == ["admin", "bot"]
    assert post(boss, "permissions.removeRole", body, {}).json == {"success": True}
    assert held(boss) == ["admin"]
    for wrong in ({"permissionId": "fly"}, {"role": "x"}):
        assert post(boss, "permissions.addRole", body | wrong).status_code == 400


CHANGES = {
    "permissions.update": {"permissions": [TABLE]},
    "permissions.addRole": {"permissionId": EDIT_OTHER_USER_E2EE, "role": "bot"},
    "permissions.removeRole": {"permissionId": EDIT_OTHER_USER_E2EE, "role": "admin"},
}


def test_changes_need_access_permissions_before_the_body(world, post, boss, ann, held):
    for route, body in CHANGES.items():
        for sent in (body, {"malformed": 1}):
            assert post(ann, route, sent).json == FORBIDDEN
        assert world.client.post(f"/api/v1/{route}", json=body).status_code == 401
    assert held(boss) == ["admin"]


def test_nobody_changes_what_a_role_above_their_own_holds(world, post, boss, ann, held):
    world.permit("access-permissions", "user")
    for body in (TABLE | {"roles": []}, TABLE | {"roles": ["user"]}):
        answer = post(ann, "permissions.update", {"permissions": [body]})
        assert refused(answer)[2] == "error-not-allowed"
    answer = post(ann, "permissions.removeRole", CHANGES["permissions.removeRole"])
    assert refused(answer)[2] == "error-not-allowed"
    assert held(boss) == ["admin"]


def test_admin_keeps_access_permissions_as_nobody_could_give_it_back(world, post, boss, held):
    other = TABLE | {"roles": []}
    for route, body in (
        ("permissions.removeRole", {"permissionId": ACCESS, "role": "admin"}),
        ("permissions.update", {"permissions": [other, {"_id": ACCESS, "roles": ["bot"]}]}),
    ):
        status, words, code = refused(post(boss, route, body))
        assert (status, code) == (400, "error-action-not-allowed")
        assert words.startswith(f"Taking {ACCESS} from admin is not allowed: nobody could")
    assert held(boss, ACCESS) == ["admin"]
    assert held(boss) == ["admin"]  # not half of it
    body = {"permissions": [{"_id": ACCESS, "roles": ["admin", "bot"]}]}
    assert post(boss, "permissions.update", body).status_code == 200
    assert post(boss, "permissions.removeRole", {"permissionId": ACCESS, "role": "bot"}).json == {
        "success": True
    }


def test_a_change_holds_for_the_next_request_in_another_worker(world, post, get, boss, ann):
    body = {"permissionId": "view-d-room", "role": "user"}
    twin = world.through(world.app)
    post(boss, "permissions.removeRole", body)
    assert twin.client.get("/api/v1/users.list", headers=ann.headers).json == FORBIDDEN
