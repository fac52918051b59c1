"""`users.create`, `update`, `delete`, `setActiveStatus`: section 5.1 of the reference."""

from e2ereset.server.people.models import Email, User, UserRole
from tests.kit.client import ME
from tests.kit.people import FORBIDDEN, refused

NEW = {"username": "dan", "name": "Dan", "email": "dan@x.org", "password": "correct horse"}


def role_of(world, person_id):
    return [row.role for row in world.rows(UserRole, user_id=person_id)]


def outcomes(world):
    return [(action, caller, outcome) for action, caller, _, _, outcome in world.outcomes()]


def test_create_answers_the_document_of_the_new_user(world, post, boss):
    user = post(boss, "users.create", NEW).json["user"]
    assert len(user.pop("_id")) == 17
    assert user == {
        "username": "dan",
        "name": "Dan",
        "type": "user",
        "status": "offline",
        "active": True,
        "emails": [{"address": "dan@x.org", "verified": False}],
        "roles": ["user"],
        "settings": {},
        "createdAt": "2027-01-15T08:00:00.000Z",
        "_updatedAt": "2027-01-15T08:00:00.000Z",
    }
    assert outcomes(world) == [("add-user", boss.id, "done")]


def test_the_log_names_each_role_that_somebody_gets_also_behind_a_long_one(world, post, boss):
    long = "r" * 200
    assert post(boss, "roles.create", {"name": long}).status_code == 200
    made = post(boss, "users.create", NEW | {"roles": [long, "admin"]}).json["user"]
    data = {"userId": made["_id"], "data": {"roles": [long]}}
    assert post(boss, "users.update", data).status_code == 200
    data["data"] = {"roles": [long[:-1], "admin"]}
    assert post(boss, "roles.create", {"name": long[:-1]}).status_code == 200
    assert post(boss, "users.update", data).status_code == 200
    rows = [row[4] for row in world.outcomes() if (row[0], row[2]) == ("change-roles", made["_id"])]
    added, removed = "added admin", "removed admin"
    assert rows == [
        *(f"added {long}", added, removed),
        *(f"added {long[:-1]}", added, f"removed {long}"),
    ]


def test_a_created_user_signs_in_with_the_password(world, post, boss):
    assert post(boss, "users.create", NEW).status_code == 200
    assert world.login("dan", NEW["password"]).status_code == 200


def test_create_takes_all_that_the_reference_takes(world, post, boss):
    more = {"roles": ["user", "bot"], "verified": True, "active": False, "bio": "b"}
    more |= {"nickname": "n", "statusText": "s", "requirePasswordChange": True}
    more |= {"setRandomPassword": True, "sendWelcomeEmail": True, "joinDefaultChannels": False}
    more |= {"customFields": {"team": "red", "floor": [1, None]}}
    user = post(boss, "users.create", NEW | more).json["user"]
    assert user["customFields"] == more["customFields"]
    assert user["emails"] == [{"address": "dan@x.org", "verified": True}]
    assert (user["roles"], user["active"]) == (["bot", "user"], False)
    assert (user["bio"], user["nickname"], user["statusText"]) == ("b", "n", "s")
    assert user["requirePasswordChange"] is True
    assert [to for to, _ in world.queued("account-changed")] == ["dan@x.org"]
    assert world.login("dan", NEW["password"]).json["error"] == "Unauthorized"


REQUIRED, INVALID = "error-the-field-is-required", "error-input-is-not-a-valid-field"
TAKEN, POLICY = "error-field-unavailable", "error-password-policy-not-met"
SWELLS = f"{chr(0x130) * 64}@{chr(0x130) * 150}"
"""An address whose key, by which it is found, is twice as long."""
REFUSED = [
    ({"name": "<b>"}, "Name contains invalid characters", None),
    ({"roles": ["x"]}, "The field Roles consist invalid role id", "error-action-not-allowed"),
    ({"name": " "}, "The field Name is required", REQUIRED),
    ({"username": " "}, "The field Username is required", REQUIRED),
    ({"username": "d d"}, "d d is not a valid username", INVALID),
    ({"password": ""}, "The field Password is required", REQUIRED),
    ({"username": "BOSS"}, "BOSS is already in use :(", TAKEN),
    ({"email": "Boss@x.org"}, "Boss@x.org is already in use :(", TAKEN),
    ({"email": "boss"}, "boss is not a valid email", INVALID),
    ({"email": SWELLS}, f"{SWELLS} is not a valid email", INVALID),
    ({"username": "here"}, "here is blocked and can't be used!", "error-blocked-username"),
    ({"password": "x" * 7}, "A password has at least 8 characters.", POLICY),
    ({"name": 1}, "must be string", "invalid-params"),
    ({"rank": 1}, "must NOT have additional properties", "invalid-params"),
]


def test_create_refuses_with_the_words_of_the_reference(world, post, boss):
    for change, text, code in REFUSED:
        said = f"{text} [{code}]" if code else text
        assert refused(post(boss, "users.create", NEW | change)) == (400, said, code)
    assert len(world.rows(User)) == 1


def test_who_does_not_hold_create_user_makes_nobody_and_learns_of_nobody(world, post, ann):
    refusals = [
        post(ann, "users.create", NEW | change).json
        for change in ({}, {"username": "ann"}, {"roles": ["x"]})
    ]
    assert refusals[0] == {
        "success": False,
        "error": "Adding user is not allowed [error-action-not-allowed]",
        "errorType": "error-action-not-allowed",
        "details": {"method": "insertOrUpdateUser", "action": "Adding_user"},
    }
    assert refusals[1:] == refusals[:1] * 2
    assert outcomes(world) == [("add-user", ann.id, "error-action-not-allowed")] * 3


def test_admin_is_given_with_assign_admin_role_and_by_nobody_who_is_outranked(world, post, boss):
    world.permit("create-user", "user")
    world.permit("view-full-other-user-info", "user")
    ann = world.person("ann", password="pw", key=False)
    for roles in (["bot"], ["user", "bot"], ["admin"]):  # a bot could hold more than ann does
        answer = post(ann, "users.create", NEW | {"roles": roles})
        assert answer.json["error"] == "Assign roles is not allowed [error-action-not-allowed]"
    world.permit("assign-roles", "user")
    answer = post(ann, "users.create", NEW | {"roles": ["admin"]})
    assert answer.json["error"] == "Assigning admin is not allowed [error-action-not-allowed]"
    assert answer.json["details"]["action"] == "Assign_admin"
    world.permit("assign-admin-role", "user")
    answer = post(ann, "users.create", NEW | {"roles": ["admin"]})
    assert answer.json["errorType"] == "error-not-allowed"
    assert post(boss, "users.create", NEW | {"roles": ["admin"]}).json["user"]["roles"] == ["admin"]


def test_update_asks_for_the_second_factor_after_the_body(world, post, boss, ann):
    body = {"userId": ann.id, "data": {"name": "Anna"}}
    assert refused(post(boss, "users.update", {"userId": 1}, {}))[2] == "invalid-params"
    answer = post(boss, "users.update", body, {})
    assert answer.json["errorType"] == "totp-required"
    assert answer.json["details"]["method"] == "password"
    assert post(boss, "users.update", body).json["user"]["name"] == "Anna"


def test_update_changes_what_is_sent_and_tells_the_owner(world, post, boss, ann, clock):
    clock.now += 60
    data = {"name": "Anna", "username": "anna", "bio": "hi", "roles": ["user", "bot"]}
    data |= {"email": "anna@x.org", "language": "de", "nickname": "n", "statusText": "s"}
    user = post(boss, "users.update", {"userId": ann.id, "data": data}).json["user"]
    assert (user["name"], user["username"], user["bio"]) == ("Anna", "anna", "hi")
    assert user["roles"] == ["bot", "user"]
    assert user["emails"] == [{"address": "anna@x.org", "verified": False}]
    assert user["_updatedAt"] == "2027-01-15T08:01:00.000Z"
    done = {action for action, caller, outcome in outcomes(world) if caller == boss.id}
    assert done == {"rename-user", "change-profile", "change-email", "change-roles"}
    told = [(to, facts["by"]) for to, facts in world.queued("account-changed")]
    assert ("ann@x.org", "boss") in told
    assert ("anna@x.org", "boss") in told
    me = world.client.get(ME, headers=ann.headers).json
    assert (me["username"], me["language"]) == ("anna", "de")


def test_custom_fields_are_an_administrators_to_set_and_not_for_everybody(
    world, get, post, boss, ann
):
    def update(fields):
        return post(boss, "users.update", {"userId": ann.id, "data": {"customFields": fields}})

    eve = world.person("eve", password="pw", key=False)
    assert update({"team": "red", "floor": 1}).status_code == 200
    assert update({"team": "blue"}).json["user"]["customFields"] == {"team": "blue"}
    own = {"data": {"bio": "b", "customFields": {"team": "gold"}}, "customFields": {"team": "gold"}}
    assert post(ann, "users.updateOwnBasicInfo", own).status_code == 200
    assert get(ann, "me").json["customFields"] == {"team": "blue"}
    assert "customFields" not in get(eve, "users.info", username="ann").json["user"]
    status, words, _ = refused(update({"long": "x" * 5000}))
    assert (status, words) == (400, "must NOT have more than 5000 characters [invalid-params]")
    assert "customFields" not in update({}).json["user"]


def test_an_address_that_is_sent_as_it_is_stays_verified(post, boss, ann):
    data = {"email": "ANN@x.org", "username": "ann", "roles": ["user"]}
    user = post(boss, "users.update", {"userId": ann.id, "data": data}).json["user"]
    assert user["emails"] == [{"address": "ann@x.org", "verified": True}]


def test_a_new_address_is_verified_only_if_that_is_sent(post, boss, ann):
    for address, more in (("a@y.org", {}), ("b@y.org", {"verified": True})):
        data = {"email": address, **more}
        user = post(boss, "users.update", {"userId": ann.id, "data": data}).json["user"]
        assert user["emails"] == [{"address": address, "verified": bool(more)}]


def test_a_new_password_ends_every_token_of_the_target(world, post, boss, ann):
    world.sign_in(ann.id, name="script", expires_at=None)
    data = {"password": "correct horse"}
    assert post(boss, "users.update", {"userId": ann.id, "data": data}).status_code == 200
    assert world.tokens(ann) == 0
    assert world.login("ann", "correct horse").status_code == 200


def test_a_password_is_ignored_without_edit_other_user_password(world, post, boss, ann):
    world.permit("edit-other-user-password", "admin", allowed=False)
    data = {"password": "correct horse", "name": "Anna"}
    assert post(boss, "users.update", {"userId": ann.id, "data": data}).status_code == 200
    assert world.tokens(ann) == 1
    assert world.login("ann", "pw").status_code == 200


def test_require_password_change_is_switched_on_and_off(world, post, boss, ann):
    for wanted in (True, False):
        data = {"requirePasswordChange": wanted}
        user = post(boss, "users.update", {"userId": ann.id, "data": data}).json["user"]
        assert user.get("requirePasswordChange", False) is wanted


def test_without_edit_other_user_info_nobody_else_is_edited_or_found(world, post, boss, ann):
    for target in (boss.id, "nobody"):
        answer = post(ann, "users.update", {"userId": target, "data": {"name": "x"}})
        assert answer.json == {
            "success": False,
            "error": "Editing user is not allowed [error-action-not-allowed]",
            "errorType": "error-action-not-allowed",
            "details": {"method": "insertOrUpdateUser", "action": "Editing_user"},
        }


NOT_OF_ONESELF = [
    ({"verified": True}, "Editing email verification is not allowed"),
    ({"roles": ["user", "bot"]}, "Assign roles is not allowed"),
    ({"active": False}, "Not allowed"),
    ({"username": "boss"}, "Could not save user identity"),
    ({"username": "b b"}, "Could not save user identity"),
    ({"email": "boss@x.org"}, "boss@x.org is already in use :("),
    ({"name": "a/b"}, "Name contains invalid characters"),
]


def test_what_one_may_not_change_of_oneself(world, post, boss, ann):
    for data, text in NOT_OF_ONESELF:
        answer = post(ann, "users.update", {"userId": ann.id, "data": {"bio": "half", **data}})
        assert (answer.status_code, answer.json["error"].partition(" [")[0]) == (400, text)
    assert world.rows(User, id=ann.id)[0].profile is None


def test_an_unknown_user_is_told_to_who_may_edit(post, boss):
    answer = post(boss, "users.update", {"userId": "nobody", "data": {}})
    assert refused(answer) == (400, "User not found [error-user-not-found]", "error-user-not-found")


def test_nothing_is_half_done_where_a_part_is_refused(world, post, boss):
    data = {"name": "Other", "password": "correct horse", "roles": ["user"]}
    answer = post(boss, "users.update", {"userId": boss.id, "data": data})
    assert refused(answer)[2] == "error-admin-required"
    assert world.rows(User, id=boss.id)[0].name == "boss"
    assert role_of(world, boss.id) == ["admin"]
    assert world.tokens(boss) == 1
    assert outcomes(world) == [("update-user", boss.id, "error-admin-required")]
    assert world.queued("account-changed") == []


def test_mailed_codes_keep_their_address(world, post, boss, eve):
    answer = post(boss, "users.update", {"userId": eve.id, "data": {"email": "new@x.org"}})
    assert refused(answer)[2] == "error-no-verified-email"
    assert [row.address for row in world.rows(Email, user_id=eve.id)] == ["eve@x.org"]


OTHERS = {
    "users.update": {"data": {"name": "x", "roles": ["user"]}},
    "users.delete": {},
    "users.setActiveStatus": {"activeStatus": False},
}


def test_nobody_acts_on_who_outranks_them(world, post, boss, ann):
    for name in ("edit-other-user-info", "delete-user", "edit-other-user-active-status"):
        world.permit(name, "user")
    for route, body in OTHERS.items():
        answer = post(ann, route, {"userId": boss.id, **body})
        assert refused(answer) == (400, "Not allowed [error-not-allowed]", "error-not-allowed")
    assert (len(world.rows(User)), world.rows(User, id=boss.id)[0].active) == (2, True)


def test_delete_takes_the_user_with_all_that_is_theirs(world, post, boss, ann):
    answer = post(boss, "users.delete", {"user": "ANN", "confirmRelinquish": True}, {})
    assert (answer.status_code, answer.json) == (200, {"deletedRooms": [], "success": True})
    assert world.client.get(ME, headers=ann.headers).status_code == 401
    assert [row.id for row in world.rows(User)] == [boss.id]
    assert outcomes(world) == [("delete-user", boss.id, "done")]
    assert [to for to, _ in world.queued("account-changed")] == ["ann@x.org"]


def test_delete_of_nobody(post, boss):
    assert refused(post(boss, "users.delete", {"userId": "x"}))[2] == "error-invalid-user"
    assert refused(post(boss, "users.delete", {}))[2] == "error-user-param-not-provided"


def test_set_active_status_ends_the_sign_ins_and_lets_in_again(world, post, boss, ann):
    body = {"userId": ann.id, "activeStatus": False}
    answer = post(boss, "users.setActiveStatus", body, {})
    assert answer.json == {"user": {"_id": ann.id, "active": False}, "success": True}
    assert (world.tokens(ann), world.login("ann").status_code) == (0, 401)
    post(boss, "users.setActiveStatus", body | {"activeStatus": True})
    assert world.login("ann").status_code == 200
    assert outcomes(world)[0] == ("disable-user", boss.id, "done")


def test_delete_and_set_active_need_their_permission_before_the_body(world, post, ann):
    for route in ("users.delete", "users.setActiveStatus"):
        answer = post(ann, route, {"malformed": 1})
        assert (answer.status_code, answer.json) == (403, FORBIDDEN)


def test_manage_moderation_actions_is_enough_to_set_the_active_status(world, post, ann):
    bot = world.person("bot", key=False, roles=["user"])
    world.permit("manage-moderation-actions", "user")
    body = {"userId": bot.id, "activeStatus": False}
    assert post(ann, "users.setActiveStatus", body).status_code == 200


def test_the_last_admin_stays(world, post, boss):
    words = "You need to have at least one admin [error-admin-required]"
    for route, body in OTHERS.items():
        answer = post(boss, route, {"userId": boss.id, **body})
        assert refused(answer) == (400, words, "error-admin-required")
    assert world.tokens(boss) == 1
    assert world.client.get(ME, headers=boss.headers).status_code == 200


def test_no_stranger_administers(world):
    for route in (*OTHERS, "users.create"):
        assert world.client.post(f"/api/v1/{route}", json={}).status_code == 401
