"""`roles.*`: section 5.2 of the reference."""

from sqlalchemy import event

from e2ereset.audit.models import AuditRow
from e2ereset.permissions.models import Role
from e2ereset.server.people.models import UserRole
from tests.kit.databases import only_postgresql
from tests.kit.people import FORBIDDEN, refused

NO_ACCESS = {
    "success": False,
    "error": "Accessing permissions is not allowed [error-action-not-allowed]",
    "errorType": "error-action-not-allowed",
    "details": {"method": "authorization:addUserToRole", "action": "Accessing_permissions"},
}
HELPER = {
    "_id": "helper",
    "name": "helper",
    "scope": "Users",
    "description": "Helps",
    "protected": False,
    "mandatory2fa": False,
}


def of(world, person):
    return {row.role for row in world.rows(UserRole, user_id=person.id)}


def test_the_list_has_every_role_with_its_scope_for_whoever_is_signed_in(world, get, ann):
    roles = {role["_id"]: role for role in get(ann, "roles.list").json["roles"]}
    assert set(roles) == {role.name for role in world.rows(Role)}
    assert roles["admin"] == {
        "_id": "admin",
        "name": "admin",
        "scope": "Users",
        "description": "",
        "protected": True,
        "mandatory2fa": False,
    }
    scopes = {name for name, role in roles.items() if role["scope"] == "Subscriptions"}
    assert scopes == {"moderator", "leader", "owner"}
    assert all(role["protected"] for role in roles.values())


def test_create_makes_a_role_that_is_not_protected(world, get, post, boss, ann):
    body = {"name": "helper", "description": "Helps", "scope": "Users", "mandatory2fa": False}
    answer = post(boss, "roles.create", body, {})
    assert (answer.status_code, answer.json) == (200, {"role": HELPER, "success": True})
    assert HELPER in get(ann, "roles.list").json["roles"]
    assert world.outcomes() == [("add-role", boss.id, "helper", "", "done")]


def test_create_refuses_with_the_words_of_the_reference(world, post, boss, ann):
    bad = "The role properties are invalid. [error-invalid-role-properties]"
    wrong = ({}, {"name": " "}, {"name": "x", "scope": "Subscriptions"}, {"name": "x", "rank": 1})
    for body in (
        *wrong,
        {"name": "x", "mandatory2fa": True},
        {"name": "x" * 201},
        {"name": "x, removed admin"},
    ):
        answer = post(boss, "roles.create", body)
        assert refused(answer) == (400, bad, "error-invalid-role-properties")
    taken = refused(post(boss, "roles.create", {"name": "ADMIN"}))
    code = "error-duplicate-role-names-not-allowed"
    assert taken == (400, f"Role name already exists [{code}]", code)
    assert post(ann, "roles.create", {"name": "x"}).json["error"] == NO_ACCESS["error"]
    assert len(world.rows(Role)) == 11


def test_add_user_to_role(world, post, boss, ann):
    answer = post(boss, "roles.addUserToRole", {"roleId": "bot", "username": "ANN"}, {})
    assert (answer.status_code, answer.json["role"]["_id"]) == (200, "bot")
    assert of(world, ann) == {"user", "bot"}
    (row,) = world.rows(AuditRow)
    assert (row.action, row.caller, row.target) == ("change-roles", boss.id, ann.id)
    assert [to for to, _ in world.queued("account-changed")] == ["ann@x.org"]


@only_postgresql
def test_a_role_that_somebody_else_gives_meanwhile_is_given_once(world, run, post, boss, ann):
    given = []

    @event.listens_for(world.engine, "before_cursor_execute")
    def give(_connection, _cursor, statement, *_):
        if "FOR UPDATE" in statement and "user_roles" in statement and not given:
            given.append(True)
            given.append(run("user", "role", "ann", "--add", "bot").exit_code)

    answer = post(boss, "roles.addUserToRole", {"roleId": "bot", "username": "ann"}, {})
    assert (given, answer.status_code) == ([True, 0], 200)
    assert of(world, ann) == {"user", "bot"}
    assert [row.action for row in world.rows(AuditRow)] == ["change-roles"]


def test_add_user_to_role_refuses_in_the_words_of_the_reference(world, post, boss, ann):
    def add(role, **who):
        return post(boss, "roles.addUserToRole", {"roleId": role, **who}).json

    swapped = {"success": False, "error": "error-role-not-found", "errorType": "Role not found"}
    assert add("none", user="ann") == swapped
    assert add("owner", user="ann") == swapped  # of members of a room
    assert add("user", user="ann")["error"] == "User already in role [error-user-already-in-role]"
    assert add("bot", userId="x")["errorType"] == "error-invalid-user"
    assert add("bot", username=" ")["errorType"] == "error-user-param-not-provided"
    assert add("bot")["errorType"] == "error-user-param-not-provided"
    world.permit("assign-admin-role", "admin", allowed=False)
    assert add("admin", user="ann")["error"] == (
        "Assigning admin is not allowed [error-action-not-allowed]"
    )
    assert of(world, ann) == {"user"}


def test_without_access_permissions_nothing_tells_who_exists(world, post, boss, ann):
    for body in ({"user": "boss"}, {"user": "nobody"}, {"userId": ann.id}):
        for role in ("bot", "none"):
            answer = post(ann, "roles.addUserToRole", {"roleId": role, **body})
            assert (answer.status_code, answer.json) == (400, NO_ACCESS)


def test_nobody_gives_or_takes_a_role_above_their_own(world, post, boss, ann):
    for name in ("access-permissions", "assign-admin-role"):
        world.permit(name, "user")
    own = post(ann, "roles.addUserToRole", {"roleId": "admin", "username": "ann"})
    other = post(ann, "roles.addUserToRole", {"roleId": "bot", "username": "boss"})
    world.person("other", roles=["admin"], key=False)
    gone = post(ann, "roles.removeUserFromRole", {"roleId": "admin", "username": "boss"})
    assert {refused(answer)[2] for answer in (own, other, gone)} == {"error-not-allowed"}
    assert (of(world, ann), of(world, boss)) == ({"user"}, {"admin"})


def test_remove_user_from_role(world, post, boss, ann):
    body = {"roleId": "user", "username": "ann", "scope": "Users"}
    answer = post(boss, "roles.removeUserFromRole", body, {})
    assert (answer.status_code, answer.json["role"]["_id"]) == (200, "user")
    assert of(world, ann) == set()


def test_remove_user_from_role_refuses_in_the_words_of_the_reference(world, post, boss, ann):
    def remove(role, name, by=boss):
        return post(by, "roles.removeUserFromRole", {"roleId": role, "username": name}).json

    said = [
        remove("user", "x"),
        remove("x", "ann"),
        remove("bot", "ann"),
        remove("admin", "boss"),
    ]
    assert [one["error"] for one in said] == [
        "There is no user with this username [error-invalid-user]",
        "This role does not exist [error-invalid-roleId]",
        "User is not in this role [error-user-not-in-role]",
        "You need to have at least one admin [error-admin-required]",
    ]
    assert remove("user", "ann", by=ann) == FORBIDDEN
    assert (of(world, ann), of(world, boss)) == ({"user"}, {"admin"})


def test_users_in_role_come_in_pages_for_who_may_access_permissions(world, get, boss, ann):
    for name in ("cleo", "dora"):
        world.person(name, key=False)
    answer = get(boss, "roles.getUsersInRole", role="user", count=2).json
    assert [user["username"] for user in answer["users"]] == ["ann", "cleo"]
    assert (answer["count"], answer["offset"], answer["total"]) == (2, 0, 3)
    assert not {"services", "e2e"} & answer["users"][0].keys()
    assert get(ann, "roles.getUsersInRole", role="user").json == FORBIDDEN
    assert refused(get(boss, "roles.getUsersInRole", role="x"))[2] == "error-invalid-roleId"
    assert refused(get(boss, "roles.getUsersInRole"))[2] == "error-invalid-params"
