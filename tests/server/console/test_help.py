"""The console: whom one may help, what a reset of their key costs, unlocking, and the reset."""

import pytest
from sqlalchemy import text

from tests.kit.pages import BROWSER, browser_of, prove
from tests.kit.world import error

PEOPLE = "/admin/people"
ODD = text("INSERT INTO user_roles (user_id, role) VALUES (:user, 'odd')")
REASON = "Lost the laptop, asked by phone."


def listed(browser, **query):
    page = browser.get(PEOPLE, query_string=query)
    assert page.status_code == 200
    names = ("bob", "eve", "guy", "root", "fed", "boss", "odd")
    return [name for name in names if f">{name}</a>" in page.text]


def form(page=None, **changes):
    """What a browser sends; with the page that it was shown, also the digest of the plan."""
    plan = page.text.split('name="plan" value="')[1][:64] if page else "0" * 64
    return {"plan": plan, "reason": REASON, "ticket": "HELP-7", "username": "Bob", **changes}


def test_the_search_lists_only_whom_the_caller_may_help(world, browser, bob, eve):
    world.person("fed", kind="federated", key=False)
    guy = world.person("guy", roles=("guest",), key=False)
    world.session.execute(text("UPDATE users SET name = 'Big Bear' WHERE id = :id"), {"id": guy.id})
    world.session.commit()
    assert listed(browser) == ["bob", "eve", "guy"]
    assert listed(browser, q="BO") == ["bob"]
    assert listed(browser, q="big b") == ["guy"]
    assert listed(browser, q="%") == []
    assert "Nobody was found." in browser.get(f"{PEOPLE}?q=nobody").text
    assert browser.get(f"{PEOPLE}?q=%00&after=%00").status_code == 200


def test_who_has_not_the_permission_sees_nothing(world, bob, eve):
    browser = browser_of(world, bob)
    for path in (PEOPLE, f"{PEOPLE}/{eve.id}", f"{PEOPLE}/{eve.id}/reset"):
        page = browser.get(path)
        assert (page.status_code, "eve" in page.text) == (403, False)
        assert "You cannot see this page</h1>" in page.text
    assert browser.post(f"{PEOPLE}/{eve.id}/reset", data=form(username="eve")).status_code == 403
    assert "Help other people" not in browser.get("/security/").text
    assert world.app.test_client().get(PEOPLE).location.startswith("/sign-in")


def test_my_security_leads_there(browser):
    assert f'href="{PEOPLE}">Help other people' in browser.get("/security/").text


def test_the_list_goes_on_on_the_next_page(world, browser):
    for number in range(21):
        world.person(f"p{number:02}", key=False)
    page = browser.get(f"{PEOPLE}?q=p").text
    assert (">p19</a>" in page, ">p20</a>" in page) == (True, False)
    assert "q=p&amp;after=p19" in page
    assert ">p20</a>" in browser.get(f"{PEOPLE}?q=p&after=p19").text


def test_somebody_of_higher_rank_is_not_there(world, with_settings, bob, eve):
    world.permit("edit-other-user-e2ee", "user")
    world.permit("unlock-other-user-factor", "user")
    root = world.person("root", roles=("admin", "user"))
    guy = world.person("guy", roles=("guest",), key=False)
    odd = world.person("odd", roles=("guest",), key=False)
    world.session.execute(ODD, {"user": odd.id})
    world.session.commit()
    browser = browser_of(world, bob)
    assert listed(browser) == ["eve", "guy"]
    for other in (root, odd, bob):
        path = f"{PEOPLE}/{other.id}"
        assert browser.get(path).status_code == 404
        forged = browser.post(f"{path}/reset", data=form(username=other.username))
        assert forged.status_code == 404
        assert browser.post(f"{path}/unlock").status_code == 404
        refused = ("unlock-factor", bob.id, other.id, "", "error-invalid-user")
        assert world.outcomes()[-2:] == [("reset-e2e-key", *refused[1:]), refused]
    assert browser.get(f"{PEOPLE}/{guy.id}").status_code == 200
    assert world.has_key(root)
    strict = browser_of(with_settings(E2ERESET_PEER_RESETS=False), bob)
    assert listed(strict) == ["guy"]
    assert strict.get(f"{PEOPLE}/{eve.id}").status_code == 404


def test_a_person_is_shown_with_costs_and_tries_and_is_unlocked(world, boss, browser):
    zoe = world.person("zoe", totp=True)
    world.room("room-of-zoe", zoe)
    world.sign_in(zoe.id, name="script", expires_at=None)
    page = browser.get(f"{PEOPLE}/{zoe.id}").text
    assert "cannot be read afterwards: 1<" in page
    assert "nobody else has: 1<" in page
    assert "Sign-ins that end: 1<" in page
    assert "room-of-zoe" not in page
    assert "tokens that end: 1<" in page
    assert "Tries left now: 5" in page
    assert "Backup codes left: 12" in page
    assert "Nothing is locked." in page
    assert "switched off" not in page
    for secret in (zoe.totp.secret, "PRIV", zoe.headers["X-Auth-Token"]):
        assert secret not in page
    world.wrong(zoe, 2)
    assert "Tries left now: 3" in browser.get(f"{PEOPLE}/{zoe.id}").text
    world.clock.now += 86400 * 40
    world.fail(zoe)
    world.again(boss)
    browser = browser_of(world, boss)
    page = browser.get(f"{PEOPLE}/{zoe.id}").text
    assert "Tries left now: 0" in page
    assert "wrong tries: Authenticator app<" in page
    led = browser.post(f"{PEOPLE}/{zoe.id}/unlock", headers=BROWSER)
    done = prove(browser, led, world.code(boss))
    page = browser.get(done.location).text
    assert "The factors are unlocked." in page
    assert "Nothing is locked." in page
    assert ("unlock-factor", boss.id, zoe.id, "totp", "unlocked") in world.outcomes()


def test_of_who_has_no_factor_the_tries_at_the_password_are_shown(world, boss, with_settings):
    dora, guy = world.person("dora", password="pw"), world.person("guy")
    strict = browser_of(with_settings(E2ERESET_METHODS=["totp"]), boss)
    browser, said = browser_of(world, boss), "The password is asked for instead. Tries left now:"
    assert f"{said} 5<" in browser.get(f"{PEOPLE}/{dora.id}").text
    assert error(world.reset(dora, code="0" * 64, method="password")) == "totp-invalid"
    assert f"{said} 4<" in browser.get(f"{PEOPLE}/{dora.id}").text
    for other, person in ((browser, guy), (strict, dora)):
        assert said not in other.get(f"{PEOPLE}/{person.id}").text


def test_who_is_switched_off_is_said_to_be(world, browser):
    gone = world.person("gone", active=False, key=False)
    assert "(switched off)" in browser.get(PEOPLE).text
    assert "This account is switched off." in browser.get(f"{PEOPLE}/{gone.id}").text


def test_who_may_not_unlock_has_no_such_button_and_is_asked_for_no_proof(world, bob, eve):
    world.permit("edit-other-user-e2ee", "user")
    browser, unlock = browser_of(world, bob), f"{PEOPLE}/{eve.id}/unlock"
    page = browser.get(f"{PEOPLE}/{eve.id}").text
    assert ("Nothing is locked." in page, unlock in page) == (True, False)
    assert browser.post(unlock).status_code == 403
    assert world.outcomes()[-1] == ("unlock-factor", bob.id, "", "", "error-unauthorized")
    world.permit("unlock-other-user-factor", "user")
    assert unlock in browser.get(f"{PEOPLE}/{eve.id}").text


def test_a_key_is_reset_for_a_reason_and_behind_a_proof(world, boss, browser, bob):
    path = f"{PEOPLE}/{bob.id}/reset"
    shown = browser.get(path)
    led = browser.post(path, data=form(shown, reason=" Lost the\r\nlaptop, asked by phone. "))
    assert world.has_key(bob)
    assert "reset the E2E key of bob" in browser.get(led.location).text
    assert prove(browser, led, "000000").status_code == 400
    done = prove(browser, led, world.code(boss))
    assert (done.status_code, world.has_key(bob)) == (303, False)
    page = browser.get(done.location).text
    assert f"[HELP-7] {REASON}" in page
    assert "There is none yet." in page
    world.runtime.sealer.seal()
    page = browser.get(done.location).text
    receipt = browser.get(page.split('e2e-target" href="')[1].split('"')[0]).json
    assert receipt["entry"]["reason"] == f"[HELP-7] {REASON}"
    assert (receipt["entry"]["caller"], receipt["entry"]["target"]) == (boss.id, bob.id)
    (mail,) = [facts for to, facts in world.queued("key-reset") if to == "bob@x.org"]
    assert (mail["by"], mail["reason"]) == ("boss", f"[HELP-7] {REASON}")


def test_the_longest_reason_is_kept_whole(world, boss, browser, bob):
    path, reason = f"{PEOPLE}/{bob.id}/reset", "é" * 500
    led = browser.post(path, data=form(browser.get(path), reason=reason, ticket="t" * 80))
    done = prove(browser, led, world.code(boss))
    assert f"[{'t' * 80}] {reason}<" in browser.get(done.location).text


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"reason": "too short"}, "reason", "10 to 500 characters"),
        ({"reason": "a b" + " " * 90}, "reason", "10 to 500 characters"),
        ({"reason": "x" * 501}, "reason", "10 to 500 characters"),
        ({"ticket": "x" * 81}, "ticket", "at most 80 characters"),
        ({"username": "eve"}, "username", "Type the username: bob"),
        ({"username": ""}, "username", "Type the username: bob"),
    ],
)
def test_a_form_with_a_fault_is_shown_again(world, browser, bob, changes, field, words):
    page = browser.post(f"{PEOPLE}/{bob.id}/reset", data=form(**changes))
    assert page.status_code == 400
    assert f'<a href="#{field}">' in page.text
    assert words in page.text
    assert form(**changes)["ticket"] in page.text
    assert world.has_key(bob)


def test_a_plan_that_has_changed_is_shown_anew(world, boss, browser, bob):
    path = f"{PEOPLE}/{bob.id}/reset"
    shown = browser.get(path)
    world.sign_in(bob.id)
    page = prove(browser, browser.post(path, data=form(shown)), world.code(boss))
    assert (page.status_code, world.has_key(bob)) == (400, True)
    assert "has changed since you looked at it" in page.text
    assert REASON in page.text
    assert f'action="{path}"' in page.text
    assert form(page)["plan"] != form(shown)["plan"]


def test_a_reset_that_is_held_is_refused_and_tells_until_when(world, boss, browser, bob):
    path = f"{PEOPLE}/{bob.id}/reset"
    led = browser.post(path, data=form(browser.get(path)))
    browser_of(world, bob).post("/security/not-me")
    refused = prove(browser, led, world.code(boss))
    assert (refused.status_code, world.has_key(bob)) == (400, True)
    assert "Until: 18 January 2027, 08:00 UTC." in refused.text


def test_who_helps_sees_a_hold_before_they_ask(world, browser, bob):
    shown = f"{PEOPLE}/{bob.id}", f"{PEOPLE}/{bob.id}/reset"
    assert ["Nobody can reset this key" in browser.get(page).text for page in shown] == [False] * 2
    browser_of(world, bob).post("/security/not-me")
    for page in shown:
        text = browser.get(page).text
        assert "Nobody can reset this key until 18 January 2027" in text
        assert (f'href="{shown[1]}"' in text, 'id="reason"' in text) == (False, False)


def test_who_has_no_address_is_not_said_to_get_a_mail(world, browser, bob):
    guy = world.person("guy", emails=[], roles=("guest",))
    told = [browser.get(f"{PEOPLE}/{one.id}/reset").text for one in (bob, guy)]
    assert ["gets a mail" in page for page in told] == [True, False]
    assert "guy has no verified e-mail address, and gets no mail" in told[1]


def test_another_site_resets_nothing(world, browser, bob):
    headers = BROWSER | {"Sec-Fetch-Site": "cross-site"}
    path = f"{PEOPLE}/{bob.id}/reset"
    assert browser.post(path, data=form(), headers=headers).status_code == 403


def test_there_is_no_page_of_a_reset_that_was_not_done(browser, bob):
    assert browser.get(f"{PEOPLE}/{bob.id}/reset/done").status_code == 404
