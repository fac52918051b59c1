"""The pages of permissions, which do what the API does."""

import pytest

from e2ereset.permissions.models import RolePermission
from tests.kit.pages import BROWSER, browser_of

PAGE = "/admin/permissions"
ONE = f"{PAGE}/edit-other-user-e2ee"


@pytest.fixture
def browser(world):
    return browser_of(world, world.person("boss", roles=("admin",)))


def holders(world, permission="edit-other-user-e2ee"):
    return {row.role for row in world.rows(RolePermission, permission=permission)}


def test_a_permission_is_given_and_taken(world, browser):
    assert f'href="{ONE}">edit-other-user-e2ee</a></th><td>admin</td>' in browser.get(PAGE).text
    assert '<th scope="row">guest</th>\n<td>no</td>' in browser.get(ONE).text
    given = browser.post(ONE, data={"role": "guest", "act": "give"})
    assert "The change is made." in browser.get(given.location).text
    assert holders(world) == {"admin", "guest"}
    assert '<th scope="row">guest</th>\n<td>yes</td>' in browser.get(ONE).text
    browser.post(ONE, data={"role": "guest", "act": "take"})
    assert holders(world) == {"admin"}
    acts = [row[0] for row in world.outcomes() if row[2] == "edit-other-user-e2ee guest"]
    assert acts == ["grant-permission", "revoke-permission"]


def test_what_cannot_be_is_refused(world, browser):
    last = browser.post(f"{PAGE}/access-permissions", data={"role": "admin", "act": "take"})
    assert last.status_code == 400
    assert "nobody could give it back" in last.text
    assert holders(world, "access-permissions") == {"admin"}
    assert browser.get(f"{PAGE}/no-such").status_code == 404
    assert browser.post(f"{PAGE}/no-such", data={"role": "guest", "act": "give"}).status_code == 400
    assert browser.post(ONE, data={"role": "no-such", "act": "give"}).status_code == 400
    assert browser.post(ONE, data={"role": "guest", "act": "other"}).status_code == 400
    headers = BROWSER | {"Sec-Fetch-Site": "cross-site"}
    form = {"role": "guest", "act": "give"}
    assert browser.post(ONE, data=form, headers=headers).status_code == 403
    assert holders(world) == {"admin"}


def test_nobody_changes_what_a_higher_role_may(world, bob):
    world.permit("access-permissions", "user")
    refused = browser_of(world, bob).post(ONE, data={"role": "admin", "act": "take"})
    assert refused.status_code == 400
    assert 'role="alert"' in refused.text
    assert holders(world) == {"admin"}


def test_it_needs_the_permission(world, browser, bob):
    browser.get(PAGE)
    other = browser_of(world, bob)
    assert other.get(PAGE).status_code == other.get(ONE).status_code == 403
    assert other.post(ONE, data={"role": "user", "act": "give"}).status_code == 403
    assert holders(world) == {"admin"}
    assert PAGE not in other.get("/security/").text
    assert PAGE in browser.get("/security/").text
