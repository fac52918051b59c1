"""The pages of roles: who has one, and giving and taking one behind a second factor."""

from html import unescape

import pytest
from sqlalchemy import insert

from e2ereset.permissions.models import Role
from e2ereset.server.people.models import UserRole
from tests.kit.pages import BROWSER, browser_of, prove

PEOPLE, ROLES = "/admin/people", "/admin/roles"
GIVE, TAKE = {"role": "bot", "act": "give"}, {"role": "bot", "act": "take"}


@pytest.fixture
def clerk(world):
    """Somebody who may change roles, but helps nobody."""
    world.permit("access-permissions", "user")
    return world.person("clerk", totp=True)


def of(world, person):
    return {row.role for row in world.rows(UserRole, user_id=person.id)}


def send(browser, person, form):
    return browser.post(f"{PEOPLE}/{person.id}/roles", data=form)


def change(world, by, browser, person, form):
    """Send the form, and prove it with the next code of the app."""
    world.clock.now += 30
    return prove(browser, send(browser, person, form), world.code(by))


def test_a_role_is_given_and_taken_and_its_owner_is_told(world, boss, browser, bob):
    page = browser.get(f"{PEOPLE}/{bob.id}").text
    assert '<option value="bot">' in page
    assert '<option value="user">' not in page
    led = send(browser, bob, GIVE)
    assert "give the role bot to bob." in browser.get(led.location).text
    assert of(world, bob) == {"user"}
    done = prove(browser, led, world.code(boss))
    page = browser.get(done.location).text
    assert "The roles are changed." in page
    assert f'href="{ROLES}/bot">bot</a></th>' in page
    assert of(world, bob) == {"user", "bot"}
    change(world, boss, browser, bob, TAKE)
    assert of(world, bob) == {"user"}
    rows = [(row[2], row[3], row[4]) for row in world.outcomes() if row[0] == "change-roles"]
    assert rows == [
        (f"{bob.id}:+bot", "totp", "totp-required"),
        (bob.id, "totp", "added bot"),
        (f"{bob.id}:-bot", "totp", "totp-required"),
        (bob.id, "totp", "removed bot"),
    ]
    told = [(to, facts["change"], facts["by"]) for to, facts in world.queued("account-changed")]
    assert told == [
        ("bob@x.org", "You got roles: bot", "boss"),
        ("bob@x.org", "You lost roles: bot", "boss"),
    ]


def test_the_log_tells_it_also_of_what_was_not_proven(world, boss, browser, bob, eve):
    send(browser, eve, GIVE)
    send(browser, bob, GIVE)
    change(world, boss, browser, bob, GIVE)
    page = browser.get("/admin/log?target=bob&action=change-roles").text
    assert page.count("Change roles: bob +bot<") == 2
    assert "Added: bot." in page
    assert "eve +bot" not in page
    assert "bob +bot" in browser.get("/security/history").text


def test_a_code_for_one_role_is_none_for_another_or_for_somebody_else(world, bob, eve):
    amy = world.person("amy", email=True, roles=("admin",))
    browser = browser_of(world, amy)
    led = []
    for person, form in ((eve, GIVE), (bob, GIVE | {"role": "admin"}), (bob, GIVE)):
        world.clock.now += 30  # so often a code is mailed
        led.append(send(browser, person, form))
    code = world.mailed_code()
    assert [prove(browser, other, code).status_code for other in led[:2]] == [400, 400]
    assert of(world, bob) == of(world, eve) == {"user"}
    assert prove(browser, led[2], code).status_code == 303
    world.clock.now += 30
    took = send(browser, bob, TAKE)
    world.clock.now += 30
    send(browser, bob, GIVE | {"role": "guest"})
    assert prove(browser, took, world.mailed_code()).status_code == 400
    assert of(world, bob) == {"user", "bot"}


def test_a_form_is_sent_once_and_never_by_another_site_or_a_look(world, boss, browser, bob):
    path = f"{PEOPLE}/{bob.id}/roles"
    crossed = BROWSER | {"Sec-Fetch-Site": "cross-site"}
    assert browser.post(path, data=GIVE, headers=crossed).status_code == 403
    assert browser.get(path, query_string=GIVE).status_code == 405
    led = send(browser, bob, GIVE)
    assert prove(browser, led, "000000").status_code == 400
    assert of(world, bob) == {"user"}
    assert prove(browser, led, world.code(boss)).status_code == 303
    change(world, boss, browser, bob, TAKE)
    world.clock.now += 30
    assert prove(browser, led, world.code(boss)).status_code == 410
    other = browser_of(world, bob)
    assert other.get(send(browser, bob, GIVE).location).status_code == 410
    assert of(world, bob) == {"user"}


def test_what_has_changed_between_form_and_proof_counts(world, boss, browser, bob, eve):
    given, other = send(browser, bob, GIVE), send(browser, eve, GIVE)
    with world.runtime.transactions.begin() as session:
        session.execute(insert(UserRole), {"user_id": bob.id, "role": "bot"})
    page = prove(browser, given, world.code(boss))
    assert (page.status_code, "has the role already" in page.text) == (400, True)
    assert f'action="{PEOPLE}/{bob.id}/roles"' in page.text
    world.permit("access-permissions", "admin", allowed=False)
    world.clock.now += 30
    assert prove(browser, other, world.code(boss)).status_code == 403
    assert of(world, eve) == {"user"}


def test_a_wrong_form_is_shown_again(world, boss, browser, bob):
    for role in ("", "none", "owner"):
        page = send(browser, bob, {"role": role, "act": "give"})
        assert (page.status_code, '<a href="#role">' in page.text) == (400, True)
    for role in ("bot", "", "none", "http://evil.example/ or your account is gone"):
        page = send(browser, bob, {"role": role, "act": "take"})
        assert (page.status_code, "does not have the role" in page.text) == (400, True)
        assert "evil" not in page.text
    assert send(browser, bob, {"role": "bot", "act": "other"}).status_code == 400
    assert of(world, bob) == {"user"}
    assert world.outcomes() == []


def test_who_may_change_roles_sees_only_them_and_nobody_above(world, clerk, bob):
    guy = world.person("guy", roles=("guest",))
    world.permit("assign-admin-role", "user")
    browser = browser_of(world, clerk)
    assert f'href="{PEOPLE}"' in browser.get("/security/").text
    people = browser.get(PEOPLE).text
    boss = world.person("boss", roles=("admin",))
    assert [f">{name}</a>" in people for name in ("bob", "guy", "boss", "clerk")] == [
        *(True, True, False, False)
    ]
    page = browser.get(f"{PEOPLE}/{guy.id}").text
    assert "Second factors" not in page
    assert f"{PEOPLE}/{guy.id}/reset" not in page
    assert '<option value="user">' in page
    assert '<option value="admin">' not in page
    for path in (f"{PEOPLE}/{guy.id}/reset", f"{PEOPLE}/{guy.id}/reset/done"):
        assert browser.get(path).status_code == 403
    assert browser.post(f"{PEOPLE}/{guy.id}/unlock").status_code == 403
    for other in (boss, clerk):
        assert browser.get(f"{PEOPLE}/{other.id}").status_code == 404
        assert send(browser, other, GIVE).status_code == 404
    assert send(browser, guy, {"role": "admin", "act": "give"}).status_code == 400
    assert change(world, clerk, browser, guy, {"role": "user", "act": "give"}).status_code == 303
    assert of(world, guy) == {"guest", "user"}


def test_admin_is_given_only_by_who_may(world, boss, browser, bob):
    assert '<option value="admin">' in browser.get(f"{PEOPLE}/{bob.id}").text
    world.permit("assign-admin-role", "admin", allowed=False)
    assert '<option value="admin">' not in browser.get(f"{PEOPLE}/{bob.id}").text
    assert send(browser, bob, {"role": "admin", "act": "give"}).status_code == 400
    refused = ("change-roles", boss.id, f"{bob.id}:+admin", "", "error-action-not-allowed")
    assert world.outcomes() == [refused]


def test_the_last_administrator_stays_one(world):
    with world.runtime.transactions.begin() as session:
        session.execute(insert(Role), {"name": "chief", "rank": 1000})
    world.permit("access-permissions", "chief")
    chief, ada = world.person("chief", totp=True, roles=("chief",)), world.person("ada")
    browser = browser_of(world, chief)
    with world.runtime.transactions.begin() as session:
        session.execute(insert(UserRole), {"user_id": ada.id, "role": "admin"})
    form, said = {"role": "admin", "act": "take"}, "no administrator any more"
    page = send(browser, ada, form)
    assert (page.status_code, said in page.text) == (400, True)
    refused = ("change-roles", chief.id, f"{ada.id}:-admin", "", "error-admin-required")
    assert world.outcomes() == [refused]
    eve = world.person("eve", roles=("admin",))
    led = send(browser, ada, form)
    with world.runtime.transactions.begin() as session:  # until the proof is there
        session.query(UserRole).filter_by(user_id=eve.id).delete()
    page = prove(browser, led, world.code(chief))
    assert (page.status_code, said in page.text) == (400, True)
    assert of(world, ada) == {"user", "admin"}


def test_who_gives_a_role_and_may_not_look_on_is_led_to_the_list(world, with_settings, clerk):
    guy = world.person("guy", roles=("guest",))
    strict = with_settings(E2ERESET_PEER_RESETS=False)
    browser = browser_of(strict, clerk)
    done = change(world, clerk, browser, guy, {"role": "user", "act": "give"})
    assert of(world, guy) == {"guest", "user"}
    assert "The roles are changed." in browser.get(done.location).text
    assert browser.get(f"{PEOPLE}/{guy.id}").status_code == 404


def test_without_the_permission_there_are_no_roles(world, browser, bob, eve):
    world.permit("edit-other-user-e2ee", "user")
    helper = browser_of(world, bob)
    page = helper.get(f"{PEOPLE}/{eve.id}").text
    assert "Second factors" in page
    assert "Give the role" not in page
    assert send(helper, eve, GIVE).status_code == 403
    assert ("change-roles", bob.id, "", "", "error-unauthorized") in world.outcomes()
    assert helper.get(f"{ROLES}/user").status_code == 403
    assert world.app.test_client().get(f"{ROLES}/user").location.startswith("/sign-in")
    assert of(world, eve) == {"user"}


def test_a_role_of_an_odd_name_is_one_like_others(world, boss, browser, bob):
    name = 'a  b/c?d#"&%41<i>'
    with world.runtime.transactions.begin() as session:
        session.execute(insert(Role), {"name": name, "rank": 10})
    page = browser.get(f"{PEOPLE}/{bob.id}").text
    assert f'value="{name}"' in unescape(page)
    assert name not in page
    assert change(world, boss, browser, bob, {"role": name, "act": "give"}).status_code == 303
    link = (
        unescape(browser.get(f"{PEOPLE}/{bob.id}").text).split(f'href="{ROLES}/a')[1].split('"')[0]
    )
    assert ">bob</a>" in browser.get(f"{ROLES}/a{link}").text
    assert change(world, boss, browser, bob, {"role": name, "act": "take"}).status_code == 303
    assert of(world, bob) == {"user"}


def test_a_role_lists_who_has_it(world, browser, bob):
    world.person("fed", kind="federated", key=False)
    for number in range(21):
        world.person(f"p{number:02}", key=False)
    assert f'href="{ROLES}/user">user</a>' in browser.get("/admin/permissions").text
    page = browser.get(f"{ROLES}/user").text
    assert f'href="{PEOPLE}/{bob.id}">bob</a>' in page
    assert '<th scope="row">fed</th>' in page
    assert 'href="/admin/permissions/create-p">create-p</a>' in page
    assert (">p17</a>" in page, ">p18</a>" in page) == (True, False)
    assert f'href="{ROLES}/user?page=2" rel="next"' in page
    page = browser.get(f"{ROLES}/user?page=2").text
    assert (">p18</a>" in page, ">p20</a>" in page, 'rel="next"' in page) == (True, True, False)
    assert '<th scope="row">boss</th>' in browser.get(f"{ROLES}/admin").text
    assert "Nobody has this role." in browser.get(f"{ROLES}/bot").text
    assert browser.get(f"{ROLES}/none").status_code == browser.get(f"{ROLES}/owner").status_code
    assert browser.get(f"{ROLES}/owner").status_code == 404
