"""The pages of permissions, which do what the API does, behind a second factor."""

from e2ereset.permissions.models import Role, RolePermission
from tests.kit.pages import BROWSER, browser_of, prove

PAGE = "/admin/permissions"
ONE = f"{PAGE}/edit-other-user-e2ee"


GIVE = {"role": "guest", "act": "give"}


def holders(world, permission="edit-other-user-e2ee"):
    return {row.role for row in world.rows(RolePermission, permission=permission)}


def change(world, boss, browser, form, page=ONE):
    """Send the form, and prove it with the next code of the app."""
    world.clock.now += 30
    return prove(browser, browser.post(page, data=form), world.code(boss))


def test_a_permission_is_given_and_taken(world, boss, browser):
    assert f'href="{ONE}">edit-other-user-e2ee</a></th><td>admin</td>' in browser.get(PAGE).text
    assert '<th scope="row">guest</th>\n<td>no</td>' in browser.get(ONE).text
    given = change(world, boss, browser, GIVE)
    assert "The change is made." in browser.get(given.location).text
    assert holders(world) == {"admin", "guest"}
    assert '<th scope="row">guest</th>\n<td>yes</td>' in browser.get(ONE).text
    change(world, boss, browser, GIVE | {"act": "take"})
    assert holders(world) == {"admin"}
    acts = [row for row in world.outcomes() if row[2] == "edit-other-user-e2ee guest"]
    assert [(row[0], row[3], row[4]) for row in acts] == [
        ("grant-permission", "totp", "totp-required"),
        ("grant-permission", "totp", "done"),
        ("revoke-permission", "totp", "totp-required"),
        ("revoke-permission", "totp", "done"),
    ]


def test_nothing_changes_before_the_proof_which_says_what_it_is_for(world, boss, browser):
    led = browser.post(ONE, data=GIVE)
    page = browser.get(led.location).text
    assert "give the permission edit-other-user-e2ee to the role guest." in page
    browser.get(ONE, query_string=GIVE)
    assert prove(browser, led, "000000").status_code == 400
    assert holders(world) == {"admin"}
    assert prove(browser, led, world.code(boss)).status_code == 303
    world.permit("edit-other-user-e2ee", "guest", allowed=False)
    world.clock.now += 30
    assert prove(browser, led, world.code(boss)).status_code == 410  # sent once
    assert holders(world) == {"admin"}


def test_a_code_for_one_change_is_none_for_another(world):
    amy = world.person("amy", email=True, roles=("admin",))
    browser = browser_of(world, amy)
    forms = [
        (f"{PAGE}/access-permissions", GIVE),
        (ONE, GIVE | {"act": "take"}),
        (ONE, GIVE | {"role": "user"}),
        (ONE, GIVE),
    ]
    led = []
    for page, form in forms:
        world.clock.now += 30  # so often a code is mailed
        led.append(browser.post(page, data=form))
    code = world.mailed_code()
    *others, led = led
    assert [prove(browser, other, code).status_code for other in others] == [400] * 3
    assert (holders(world), holders(world, "access-permissions")) == ({"admin"}, {"admin"})
    assert prove(browser, led, code).status_code == 303
    assert holders(world) == {"admin", "guest"}


def test_who_loses_the_permission_meanwhile_changes_nothing(world, boss, browser):
    led = browser.post(ONE, data=GIVE)
    world.permit("access-permissions", "admin", allowed=False)
    assert prove(browser, led, world.code(boss)).status_code == 403
    assert holders(world) == {"admin"}


def test_who_has_no_factor_changes_nothing(world):
    refused = browser_of(world, world.person("amy", roles=("admin",))).post(ONE, data=GIVE)
    assert refused.status_code == 400
    assert "No second factor is set up" in refused.text
    assert holders(world) == {"admin"}


def test_what_cannot_be_is_refused(world, boss, browser):
    keys = f"{PAGE}/access-permissions"
    last = browser.post(keys, data={"role": "admin", "act": "take"})
    assert last.status_code == 400
    revoked = ("revoke-permission", boss.id, "access-permissions admin")
    assert world.outcomes() == [(*revoked, "", "error-action-not-allowed")]
    assert "nobody could give it back" in last.text
    assert holders(world, "access-permissions") == {"admin"}
    assert browser.get(f"{PAGE}/no-such").status_code == 404
    assert browser.post(f"{PAGE}/no-such", data=GIVE).status_code == 404
    assert browser.post(ONE, data=GIVE | {"role": "no-such"}).status_code == 400
    assert browser.post(ONE, data=GIVE | {"act": "other"}).status_code == 400
    headers = BROWSER | {"Sec-Fetch-Site": "cross-site"}
    assert browser.post(ONE, data=GIVE, headers=headers).status_code == 403
    assert holders(world) == {"admin"}


def test_nobody_changes_what_a_higher_role_may(world):
    world.permit("access-permissions", "user")
    ann = world.person("ann", totp=True)
    form = {"role": "admin", "act": "take"}
    browser = browser_of(world, ann)
    refused = browser.post(ONE, data=form)
    assert refused.status_code == 400
    assert 'role="alert"' in refused.text
    led = browser.post(ONE, data=form | {"role": "guest", "act": "give"})
    with world.runtime.transactions.begin() as session:  # until the proof is there
        session.query(Role).filter_by(name="guest").update({"rank": 10**6})
    refused = prove(browser, led, world.code(ann))
    assert refused.status_code == 400
    assert 'role="alert"' in refused.text
    assert holders(world) == {"admin"}


def test_it_needs_the_permission(world, browser, bob):
    browser.get(PAGE)
    other = browser_of(world, bob)
    assert other.get(PAGE).status_code == other.get(ONE).status_code == 403
    assert other.post(ONE, data={"role": "user", "act": "give"}).status_code == 403
    refused = ("update-permissions", bob.id, "", "", "error-unauthorized")
    assert world.outcomes()[-1] == refused
    assert holders(world) == {"admin"}
    assert PAGE not in other.get("/security/").text
    assert PAGE in browser.get("/security/").text
