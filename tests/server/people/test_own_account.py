"""`users.updateOwnBasicInfo`: section 5.1 of the reference."""

from e2ereset.server.people.models import Email, User
from tests.kit.client import ME
from tests.kit.people import refused
from tests.kit.rows import row
from tests.kit.world import sha256

ROUTE = "users.updateOwnBasicInfo"
NEW = "correct horse"


def test_name_and_profile_need_no_proof(world, post, ann, clock):
    clock.now += 60
    data = {"name": "Anna", "username": "anna", "bio": "hi", "nickname": "n", "statusText": "s"}
    data |= {"email": "ANN@x.org", "statusType": "busy", "customFields": {}}
    answer = post(ann, ROUTE, {"data": data}, {})
    assert answer.status_code == 200
    user = answer.json["user"]
    assert (user["name"], user["username"], user["bio"]) == ("Anna", "anna", "hi")
    assert user["emails"] == [{"address": "ann@x.org", "verified": True}]
    assert user["_updatedAt"] == "2027-01-15T08:01:00.000Z"
    assert not {"services", "e2e"} & user.keys()


@row("12.7.5.1")
def test_address_and_password_need_the_current_password(world, post, ann):
    for change in ({"newPassword": NEW}, {"email": "a@y.org"}):
        answer = post(ann, ROUTE, {"data": {"name": "half", **change}}, {})
        assert refused(answer)[2] == "totp-required"
        assert answer.json["details"]["method"] == "password"
        wrong = {"currentPassword": sha256("wrong"), "name": "half", **change}
        assert refused(post(ann, ROUTE, {"data": wrong}, {}))[2] == "totp-invalid"
    (row,) = world.rows(User)
    assert (row.name, [one.address for one in world.rows(Email)]) == ("ann", ["ann@x.org"])
    assert world.login("ann", "pw").status_code == 200


def test_another_password_ends_the_other_sign_ins_and_leaves_personal_tokens(world, post, ann):
    other = world.sign_in(ann.id)
    script = world.sign_in(ann.id, name="script", expires_at=None)
    data = {"newPassword": NEW, "currentPassword": sha256("pw").upper()}
    assert post(ann, ROUTE, {"data": data}, {}).status_code == 200
    found = [
        world.client.get(ME, headers=headers).status_code
        for headers in (ann.headers, other, script)
    ]
    assert found == [200, 401, 200]
    assert world.login("ann", "pw").status_code == 401
    assert world.login("ann", NEW).status_code == 200
    found = world.outcomes()[0]
    assert found == ("set-password", ann.id, ann.id, "password", "done")
    ((to, facts),) = world.queued("account-changed")
    assert (to, facts["by"]) == ("ann@x.org", "you")


def test_another_address_is_not_verified_and_both_are_told(world, post, ann):
    data = {"email": "new@x.org", "currentPassword": sha256("pw")}
    user = post(ann, ROUTE, {"data": data}, {}).json["user"]
    assert user["emails"] == [{"address": "new@x.org", "verified": False}]
    assert {to for to, _ in world.queued("account-changed")} == {"ann@x.org", "new@x.org"}


def test_the_current_password_is_no_proof_of_who_has_a_better_method(world, post):
    bob = world.person("bob", password="pw", totp=True, key=False)
    body = {"data": {"newPassword": NEW, "currentPassword": sha256("pw")}}
    answer = post(bob, ROUTE, body, {})
    assert (refused(answer)[2], answer.json["details"]["method"]) == ("totp-required", "totp")
    assert post(bob, ROUTE, body, {"x-2fa-code": world.code(bob)}).status_code == 200
    assert world.login("bob", "pw").json["error"] == "Unauthorized"


def test_a_client_is_told_no_more_to_ask_for_another_password(world, post, boss, ann):
    flag = {"userId": ann.id, "data": {"requirePasswordChange": True}}
    assert post(boss, "users.update", flag).status_code == 200
    assert world.client.get(ME, headers=ann.headers).json["requirePasswordChange"] is True
    data = {"newPassword": NEW, "currentPassword": sha256("pw")}
    assert post(ann, ROUTE, {"data": data}, {}).status_code == 200
    assert "requirePasswordChange" not in world.client.get(ME, headers=ann.headers).json


def test_values_that_nobody_can_have_are_refused_and_nothing_is_half_done(world, post, boss, ann):
    said = {}
    for change in ({"username": "boss"}, {"name": "<"}, {"email": "boss@x.org"}, {"roles": []}):
        answer = post(ann, ROUTE, {"data": {"bio": "half", **change}})
        said[next(iter(change))] = refused(answer)[1].partition(" [")[0]
    assert said == {
        "username": "Could not save user identity",
        "name": "Name contains invalid characters",
        "email": "boss@x.org is already in use :(",
        "roles": "must NOT have additional properties",
    }
    weak = {"newPassword": "password1", "currentPassword": sha256("pw")}
    assert refused(post(ann, ROUTE, {"data": weak}))[2] == "error-password-policy-not-met"
    assert world.rows(User, id=ann.id)[0].profile is None
    assert world.client.post(f"/api/v1/{ROUTE}", json={"data": {}}).status_code == 401
