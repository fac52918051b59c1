"""Passkeys on pages: added, used on the page of the proof, renamed and removed."""

import json
import re
from types import SimpleNamespace

import pytest
from fido2.cose import CoseKey
from fido2.webauthn import AttestedCredentialData

from e2ereset import factor_disabled, factor_enabled
from e2ereset.pages.site import find_site
from tests.kit.authenticator import Authenticator
from tests.kit.pages import PagesHost, browser_of, prove
from tests.kit.passkeys import ASKED, NEW, PASSKEYS, SETTINGS, add, asked
from tests.kit.server import HASHER
from tests.kit.world import error


@pytest.fixture
def config(config):
    return config | SETTINGS


@pytest.fixture
def dora(world):
    """Somebody with a passkey, who has signed in since, with a browser."""
    dora = world.person("dora", password="a long password")
    key = add(browser_of(world, dora), code="a long password")
    world.clock.tick(1)
    dora.browser = browser_of(world, world.again(dora))
    dora.key = key
    return dora


def keys_of(page):
    return re.findall('name="key" value="([0-9a-f]{64})"', page)[::2]


def test_a_passkey_is_added_behind_the_factor_that_one_has(world, bob, hears):
    heard = hears(factor_enabled)
    browser, other = browser_of(world, bob), browser_of(world, world.again(bob))
    assert other.get(NEW).status_code == 200
    led = browser.post(PASSKEYS, data={"name": "blue phone"})
    assert "add a passkey to the account of bob" in browser.get(led.location).text
    assert prove(browser, led, world.code(bob)).location == NEW
    assert ASKED.search(other.get(NEW).text) is None  # it is of the sign-in that proved it
    options = asked(browser.get(NEW).text)
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert (options["attestation"], options["rp"]["id"]) == ("none", "app.example.org")
    assert bob.id not in json.dumps(options)
    made = Authenticator()
    wrongs = ({"verifies": False}, {"origin": "https://evil.example"}, {"framed": True})
    for wrong in (made.but(**changes) for changes in wrongs):
        refused = browser.post(NEW, data={"code": wrong.make(options)})
        assert (refused.status_code, "not accepted" in refused.text) == (400, True)
    for garbage in ("", "{}", '{"id": 1}', "[]", '{"id":"","response":{}}'):
        assert browser.post(NEW, data={"code": garbage}).status_code == 400
    done = browser.post(NEW, data={"code": made.make(options)})
    assert "The passkey was added" in browser.get(done.location).text
    assert other.get(PASSKEYS).location.startswith("/sign-in")
    assert world.told()[-1] == "A passkey was added"
    assert ("enable-passkey", bob.id, bob.id, "off", "passed") in world.outcomes()
    assert [(facts["account"].id, facts["method"]) for _, facts in heard] == [(bob.id, "passkey")]


class Sha1(Authenticator):
    """One that makes a key of an algorithm that nobody has offered."""

    @property
    def credential(self):
        rsa = CoseKey.parse({1: 3, 3: -65535, -1: b"\x01" * 256, -2: b"\x01\x00\x01"})
        return AttestedCredentialData.create(b"\0" * 16, self.credential_id, rsa)


def test_an_algorithm_that_was_not_offered_makes_no_passkey(world, bob):
    browser = browser_of(world, bob)
    prove(browser, browser.post(PASSKEYS, data={"name": "old key"}), world.code(bob))
    options = asked(browser.get(NEW).text)
    assert -65535 not in [one["alg"] for one in options["pubKeyCredParams"]]
    assert browser.post(NEW, data={"code": Sha1().make(options)}).status_code == 400
    assert "You have none." in browser.get(PASSKEYS).text


@pytest.mark.parametrize("given", [5, True, [[]], {"usb": 1}, "usb", None])
def test_transports_of_any_kind_are_no_fault(world, bob, given):
    browser = browser_of(world, bob)
    prove(browser, browser.post(PASSKEYS, data={"name": "a key"}), world.code(bob))
    answer = json.loads(Authenticator().make(asked(browser.get(NEW).text)))
    answer["response"]["transports"] = given
    assert browser.post(NEW, data={"code": json.dumps(answer)}).status_code in (303, 400)


@pytest.mark.parametrize("factor", ["email", "totp"])
def test_what_was_begun_before_another_factor_is_over(world, factor):
    eve = world.person("eve", password="a long password")
    browser = browser_of(world, eve)
    prove(browser, browser.post(PASSKEYS, data={"name": "thief's"}), "a long password")
    options = asked(browser.get(NEW).text)
    if factor == "email":
        world.runtime.factors.set_email(world.account(eve), True)
    else:
        world.runtime.factors.enrol_totp(world.account(eve))
    assert browser.post(NEW, data={"code": Authenticator().make(options)}).status_code == 400


def test_another_browser_makes_none_of_what_was_proven_in_this_one(make_host):
    host = make_host("pages", kind=PagesHost, **SETTINGS)  # it does not tell sign-ins apart
    host.browser.environ_base |= {"HTTP_SEC_FETCH_SITE": "same-origin"}
    led = host.browser.post(PASSKEYS, data={"name": "blue phone"})
    assert prove(host.browser, led, host.totp.code()).location == NEW
    answer = Authenticator().make(asked(host.browser.get(NEW).text))
    thief = host.app.test_client()
    thief.get("/in")
    for cookie in ("", "a guess"):
        thief.set_cookie("e2ereset_browser", cookie)
        assert ASKED.search(thief.get(NEW).text) is None
        assert thief.post(NEW, data={"code": answer}).status_code == 400
    assert host.browser.post(NEW, data={"code": answer}).location == f"{PASSKEYS}?done=added"


def test_it_proves_on_the_page_of_the_proof(world, dora):
    led = dora.browser.post("/security/email/on")
    page = dora.browser.get(led.location).text
    assert "Use your passkey" in page
    assert "<noscript>" in page
    options = asked(page)
    for wrong in (dora.key.but(verifies=False), dora.key.but(rp_id="evil.example")):
        refused = dora.browser.post(led.location, data={"code": wrong.sign(options)})
        assert (refused.status_code, "was not accepted" in refused.text) == (400, True)
    again = dora.browser.post(led.location, data={"method": "passkey"})
    assert asked(again.text) == options  # it waits still
    done = dora.browser.post(led.location, data={"code": dora.key.sign(options)})
    assert done.location == "/security/?done=email-on"
    assert ("enable-email-codes", dora.id, dora.id, "passkey", "passed") in world.outcomes()
    home = dora.browser.get("/security/", headers={"Accept-Language": "de"}).text
    assert "Passkey blue phone" in home
    assert ">Umbenennen, entfernen oder hinzufügen<" in home  # no noun, as in a mail of a change


def test_one_is_asked_for_anew_when_it_is_over(world, dora):
    led = dora.browser.post("/security/email/on")
    old = asked(dora.browser.get(led.location).text)
    world.clock.tick(300)
    assert dora.browser.post(led.location, data={"code": dora.key.sign(old)}).status_code == 400
    new = asked(dora.browser.post(led.location, data={"method": "passkey"}).text)
    assert dora.browser.post(led.location, data={"code": dora.key.sign(new)}).status_code == 303


def test_a_passkey_is_renamed_and_removed_behind_a_factor(world, dora, hears):
    heard = hears(factor_disabled)
    browser, (key,) = dora.browser, keys_of(dora.browser.get(PASSKEYS).text)

    def proven(act, **data):
        """What comes of an act that the passkey proves."""
        led = browser.post(f"{PASSKEYS}/{act}", data=data)
        options = asked(browser.get(led.location).text)
        done = browser.post(led.location, data={"code": dora.key.sign(options)})
        return browser.get(done.location).text

    renamed = proven("rename", key=key, name="  red <b>phone ")
    assert "The passkey was renamed" in renamed
    assert "red &lt;b&gt;phone" in renamed
    nameless = browser.post(f"{PASSKEYS}/rename", data={"key": key, "name": " "})
    assert (nameless.status_code, f'href="#name-{key}"' in nameless.text) == (400, True)
    assert 'href="/security/code"' in browser.get("/security/").text
    assert "You have none" in proven("remove", key=key)
    assert 'href="/security/code"' not in browser.get("/security/").text
    assert world.told() == ["A passkey was added", "A passkey was removed"]
    acts = [row for row in world.outcomes() if row[-1] == "passed" and row[3] == "passkey"]
    assert [act for act, *_ in acts] == ["rename-passkey", "disable-passkey"]
    assert [(facts["account"].id, facts["method"]) for _, facts in heard] == [(dora.id, "passkey")]


def test_the_link_in_a_mail_leads_to_my_security(world, bob, monkeypatch):
    mailer, sent = world.runtime.mailer, []
    monkeypatch.setattr(mailer, "send", sent.append)
    facts = {"username": "bob", "at": world.clock.now, "change": "A passkey was added"}
    job = SimpleNamespace(kind="factor-changed", id=1, created_at=1, recipient="bob@x.org")
    mailer(facts, job, world.clock.now)
    (link,) = re.findall(r"https://app\.example\.org(\S*)", sent[0].text)
    assert "My security" in browser_of(world, bob).get(link).text


@pytest.mark.parametrize("factor", ["email", "passkey"])
def test_a_proof_is_for_one_passkey_alone(world, factor):
    dan = world.person("dan", totp=True, email=True)
    browser, made = browser_of(world, dan), []
    for name in ("red phone", "blue phone"):
        made.append(add(browser, name=name, code=world.code(dan)))
        world.clock.tick(30)
    browser = browser_of(world, world.again(dan))

    def asked_for(act, key):
        """The page of the proof, and what is right there."""
        name = {"name": "new"} if act == "rename" else {}
        led = browser.post(f"{PASSKEYS}/{act}", data={"key": key, **name})
        page = browser.post(led.location, data={"method": factor}).text
        code = made[0].sign(asked(page)) if factor == "passkey" else world.mailed_code()
        return led.location, {"method": factor, "code": code}

    for act in ("rename", "remove"):
        one, other = keys_of(browser.get(PASSKEYS).text)
        _, for_one = asked_for(act, one)
        world.clock.tick(30)
        page, for_other = asked_for(act, other)
        assert browser.post(page, data=for_one).status_code == 400
        assert browser.post(page, data=for_other).status_code == 303
        world.clock.tick(30)
    page = browser.get(PASSKEYS).text
    assert ("red phone" in page, "new" in page, "blue phone" in page) == (True, False, False)
    refused, done = world.outcomes()[-2:]
    assert refused == ("disable-passkey", dan.id, f"{dan.id}:{other}", factor, "totp-invalid")
    assert done == ("disable-passkey", dan.id, f"{dan.id}:{other}", factor, "passed")
    assert other not in browser.get("/security/history").text


def test_nobody_changes_the_passkey_of_another(world, dora):
    (key,) = keys_of(dora.browser.get(PASSKEYS).text)
    eve = browser_of(world, world.person("eve", password="a long password"))
    for act in ("rename", "remove"):
        named = {"name": "eve's"} if act == "rename" else {}
        led = eve.post(f"{PASSKEYS}/{act}", data={"key": key, **named})
        prove(eve, led, "a long password")
    assert [one.name for one in find_site(world.app).passkeys.owned(dora.id)] == ["blue phone"]


def test_a_name_is_needed_and_twenty_are_enough(world, dora, monkeypatch):
    nameless = dora.browser.post(PASSKEYS, data={"name": "x" * 101})
    assert (nameless.status_code, 'href="#name"' in nameless.text) == (400, True)
    assert f'value="{"x" * 101}"' in nameless.text
    monkeypatch.setattr("e2ereset.factors.own_passkeys.MOST", 1)
    led = dora.browser.post(PASSKEYS, data={"name": "one more"})
    options = asked(dora.browser.get(led.location).text)
    refused = dora.browser.post(led.location, data={"code": dora.key.sign(options)})
    assert (refused.status_code, "too many passkeys" in refused.text) == (400, True)


# Clients


def test_a_reset_is_signed_for_one_person(world, dora):
    world.person("bob")
    root = world.person("root", roles=["admin"], password="a long password")
    key = add(browser_of(world, root), name="root's", code="a long password")
    world.clock.tick(1)
    root = world.again(root)
    told = world.reset(root, {"username": "bob"}).json["details"]
    assert (told["method"], told["availableMethods"]) == ("email", ["passkey"])
    assert told["codePage"] == "https://app.example.org/security/code"
    proof = {"code": key.sign(told["publicKey"]), "method": "passkey"}
    assert error(world.reset(root, {"username": "dora"}, **proof)) == "totp-invalid"
    evil = {"code": dora.key.sign(told["publicKey"]), "method": "passkey"}
    assert error(world.reset(root, {"username": "bob"}, **evil)) == "totp-invalid"
    assert world.reset(root, {"username": "bob"}, **proof).json == {"success": True}
    assert error(world.reset(root, {"username": "bob"}, **proof)) == "totp-invalid"


def test_a_reset_is_signed_for_the_plan_that_was_shown(world, dora):
    person, preview = world.again(dora), "/api/v1/users.resetE2EKey.preview"
    shown = world.client.get(preview, headers=person.headers).json["digest"]
    told = world.reset(person, {"plan": shown}, method="passkey").json["details"]
    proof = {"code": dora.key.sign(told["publicKey"]), "method": "passkey"}
    for body in ({"plan": "0" * 64}, {}):
        assert error(world.reset(person, body, **proof)) == "totp-invalid"
    assert world.reset(person, {"plan": shown}, **proof).json == {"success": True}


def test_clients_that_know_only_codes_are_asked_for_those_first(world):
    eve = world.person("eve", password="a long password")
    add(browser_of(world, eve), code="a long password")
    world.runtime.factors.set_email(world.account(eve), True)
    world.clock.tick(1)
    told = world.reset(world.again(eve)).json["details"]
    assert (told["method"], told["availableMethods"]) == ("email", ["email", "passkey"])
    browser = browser_of(world, eve)
    led = browser.post("/security/email/off")
    assert "Use your passkey" in browser.get(led.location).text


def test_there_is_no_page_where_passkeys_are_no_method(make_server, config, world):
    rules = make_server(config | {"E2ERESET_METHODS": ["totp"]}).url_map.iter_rules()
    assert not [rule.rule for rule in rules if "passkey" in rule.endpoint]


def test_an_operator_removes_them_all_for_who_lost_the_phone(world, dora, hears):
    heard = hears(factor_disabled)
    command = ["factor", "disable", "dora", "--method", "passkey", "--reason", "lost phone"]
    for disabled in ("true", "false"):
        done = world.app.test_cli_runner().invoke(args=[*command, "--json"])
        assert f'"disabled": {disabled}' in done.output
    assert find_site(world.app).passkeys.owned(dora.id) == []
    assert world.told()[-1] == "All your passkeys were removed"
    assert [row[4] for row in world.outcomes() if row[0] == "disable-passkey"] == ["done"]
    assert [facts["method"] for _, facts in heard] == ["passkey"]


def test_a_locked_passkey_is_no_other_way_to_switch_the_app_off(world, bob):
    add(browser_of(world, bob), code=world.code(bob))
    world.clock.tick(30)
    browser = browser_of(world, world.again(bob))
    assert "in another way" in browser.get("/security/authenticator/off").text
    world.fail(bob, purpose="verify:passkey")
    assert "in another way" not in browser.get("/security/authenticator/off").text


def test_the_current_password_is_no_proof_beside_a_passkey(world, dora):
    data = {"email": "new@x.org", "currentPassword": HASHER.digest("a long password")}
    path = "/api/v1/users.updateOwnBasicInfo"
    refused = world.client.post(path, json={"data": data}, headers=dora.headers)
    assert error(refused) == "totp-required"
