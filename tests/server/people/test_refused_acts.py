"""The audit rows of refused acts on accounts, roles and permissions: they say on whom (SPEC 4)."""

import pytest

from tests.kit.people import FORBIDDEN

NEW = {"email": "a@x.org", "name": "n", "username": "dan", "password": "correct horse"}
LACKING = "error-action-not-allowed"
REFUSED = [
    ("ann", "users.create", NEW, "dan", LACKING),
    ("ann", "roles.create", {"name": "helper"}, "helper", LACKING),
    ("ann", "roles.addUserToRole", {"roleId": "bot", "username": "boss"}, "boss", LACKING),
    ("boss", "roles.removeUserFromRole", {"roleId": "bot", "username": "ann"}, "ann", None),
    ("boss", "users.delete", {"userId": "nobody"}, "nobody", "error-invalid-user"),
    ("boss", "users.delete", {"userId": "id-of-boss"}, "id-of-boss", "error-admin-required"),
    ("boss", "users.setActiveStatus", {"userId": "x", "activeStatus": False}, "x", None),
    ("boss", "permissions.addRole", {"permissionId": "p", "role": "bot"}, "p bot", None),
    ("boss", "permissions.update", {"permissions": [{"_id": "p", "roles": []}]}, "p", None),
]


@pytest.mark.parametrize(("who", "route", "body", "target", "code"), REFUSED)
def test_the_row_of_a_refusal_has_the_target(
    world, post, boss, ann, who, route, body, target, code
):
    answer = post({"boss": boss, "ann": ann}[who], route, body)
    assert answer.status_code == 400
    assert answer.json != FORBIDDEN
    ((_, _, found, _, outcome),) = world.outcomes()
    assert (found, outcome) == (target, code or answer.json["errorType"])
