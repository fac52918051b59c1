"""Attacks on the pages that no test of a single page would see."""

import re
from functools import partial
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from e2ereset.server.rooms.models import Room
from tests.kit.authenticator import Authenticator
from tests.kit.live import at_once
from tests.kit.pages import HTML, addresses, browser_of, prove
from tests.kit.passkeys import NEW, PASSKEYS, SETTINGS, add, asked, code_for
from tests.kit.world import error

PASSWORD = "a long password"
EVIL = "x\"'><img src=x onerror=alert(1)>%(count)s %s {{7*7}} &lt;"


@pytest.fixture
def config(config):
    return config | SETTINGS


def twins(host, times):
    """So many browsers with the cookies of the host's."""
    cookies = {
        name: host.browser.get_cookie(name).value for name in ("session", "e2ereset_browser")
    }
    for _ in range(times):
        twin = host.app.test_client()
        twin.environ_base |= host.browser.environ_base
        for name, value in cookies.items():
            twin.set_cookie(name, value)
        yield twin


# Single use, at once


def test_a_kept_form_is_sent_once_whoever_proves_it_at_once(pages):
    proof, code = pages.drop(), {"code": pages.totp.code()}
    answers = at_once([partial(twin.post, proof, data=code) for twin in twins(pages, 6)])
    assert sorted(one.status_code for one in answers) == [200] + [410] * 5
    assert len(pages.done) == 1


def test_one_code_sends_one_of_two_kept_forms(pages):
    proofs, code = [pages.drop(name) for name in ("a", "b")], {"code": pages.totp.code()}
    calls = [
        partial(twin.post, p, data=code) for twin, p in zip(twins(pages, 2), proofs, strict=True)
    ]
    assert sorted(one.status_code for one in at_once(calls)) == [200, 400]
    assert len(pages.done) == 1


def test_one_proof_shows_a_page_once(pages):
    proof = pages.led(pages.browser.get("/plans"))
    pages.browser.post(proof, data={"code": pages.totp.code()})
    seen = at_once([partial(twin.get, "/plans") for twin in twins(pages, 5)])
    assert sorted(one.status_code for one in seen) == [200] + [303] * 4


@pytest.fixture
def root(world):
    """An administrator with a passkey and a browser."""
    root = world.person("root", roles=["admin"], password=PASSWORD)
    root.key = add(browser_of(world, root), code=PASSWORD)
    world.clock.tick(1)
    root.browser = browser_of(world, world.again(root))
    world.person("bob")
    return root


def signed(world, root, **body):
    told = world.reset(root, body, method="passkey").json["details"]
    return root.key.sign(told["publicKey"])


@pytest.mark.parametrize("kind", ["signature", "shown code"])
def test_a_passkey_passes_once_of_many_at_once(world, root, kind):
    body = {"username": "bob"}
    code = signed(world, root, **body)
    if kind == "shown code":
        code = code_for(root.browser, root.key)
    answers = world.at_once(root, 5, body=body, code=code, method="passkey")
    assert sorted(one.status_code for one in answers) == [200] + [400] * 4


# One for another


def test_what_is_signed_for_the_api_opens_no_page_and_the_other_way_round(world, root):
    bob, of_bob = "/admin/people/id-of-bob", {"username": "bob"}
    reason = {"reason": "a good reason", "username": "bob"}
    plan = re.search('name="plan" value="([0-9a-f]{64})"', root.browser.get(f"{bob}/reset").text)
    forms = {
        f"{bob}/roles": {"role": "bot", "act": "give"},
        f"{bob}/unlock": {},
        f"{bob}/reset": reason | {"plan": plan[1]},
        "/security/email/on": {},
    }
    for url, form in forms.items():
        world.clock.tick(301)
        code = signed(world, root, **of_bob)
        led = root.browser.post(url, data=form)
        of_page = root.key.sign(asked(root.browser.get(led.location).text))
        assert prove(root.browser, led, code, method="passkey").status_code == 400, url
        assert error(world.reset(root, of_bob, code=of_page, method="passkey")) == "totp-invalid"


def test_a_passkey_is_of_one_account(world, bob):
    eve, made = world.person("eve", totp=True), []
    for person in (bob, eve):
        browser = browser_of(world, person)
        prove(browser, browser.post(PASSKEYS, data={"name": "key"}), world.code(person))
        answer = Authenticator().make(asked(browser.get(NEW).text))
        made.append(browser.post(NEW, data={"code": answer}).status_code)
    assert made == [303, 400]


# What strangers learn and what they plant


def test_the_page_to_sign_in_says_the_same_of_everybody(world):
    world.person("known", password=PASSWORD, totp=True)
    world.person("off", password=PASSWORD, active=False, key=False)
    world.person("idle", password=PASSWORD, roles=[])
    world.person("bare")
    tries = [(name, "x") for name in ("nobody", "known", "KNOWN", "off", "bare", "known@x.org")]
    told = {}
    for name, password in [*tries, ("off", PASSWORD), ("idle", PASSWORD)]:
        form = {"name": name, "password": password}
        page = world.app.test_client().post("/sign-in", data=form, headers=HTML)
        told[name, password] = (page.status_code, page.text.replace(f'"{name}"', ""))
    assert len(set(told.values())) == 1, told


class Markup(HTMLParser):
    """Fails where a text has become markup."""

    def handle_starttag(self, tag, attrs):
        assert tag != "img"
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_no_name_and_no_query_becomes_markup(world, root):
    ann = world.person("ann" + EVIL, totp=True)
    world.room("r", ann, root)
    with world.runtime.transactions.begin() as session:
        session.get(Room, "r").name = EVIL
    world.sign_in(ann.id, name=EVIL[:60], expires_at=None)
    browser = browser_of(world, ann)
    prove(browser, browser.post(PASSKEYS, data={"name": EVIL}), world.code(ann))
    names = ("q", "caller", "target", "action", "next", "done", "asked", "before", "after", "page")
    query = "&".join(f"{name}={quote(EVIL)}" for name in names)
    for reader, path in ((b, p) for b in (browser, root.browser) for p in _all(world, ann)):
        page = reader.get(f"{path}?{query}", headers=HTML | {"Accept-Language": "de"})
        assert page.status_code < 500, path
        Markup().feed(page.text)


def _all(world, person):
    return addresses(world, "GET", quote(person.id, safe=""))
