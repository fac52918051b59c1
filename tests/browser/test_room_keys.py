"""A dead room starts anew in chromium: the browser makes the key, and real clients use it."""

import json
import re
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from tests.kit.client import LOGIN
from tests.kit.e2ee import Messenger, from_url64
from tests.kit.live import Live

pytestmark = pytest.mark.slow
PAGE, BUTTON = "/rooms/readable", re.compile("^Start a new key")


@dataclass(frozen=True)
class Served:
    """What a `Messenger` needs of a world, over HTTP; it is its own client."""

    site: Live

    @property
    def client(self):
        return self

    def person(self, name, *, password, key):
        self.site.cli("user", "add", name, "--password-stdin", stdin=password)
        return SimpleNamespace(id=self.login(name, password).json["data"]["userId"])

    def login(self, name, password):
        return self.post(LOGIN, headers={}, json={"user": name, "password": password})

    def get(self, path, *, headers, query_string=()):
        return _answer(self.site.call("GET", f"{path}?{urlencode(query_string)}", headers))

    def post(self, path, *, headers, json=None):
        return _answer(self.site.call("POST", path, headers, json))


def _answer(answer):
    return SimpleNamespace(status_code=answer.status, json=answer.body)


def states(*clients):
    told = [client.ask("e2e.readability")["rooms"] for client in clients]
    return [room["state"] for (room,) in told]


def test_both_have_reset_and_the_owner_starts_the_room_anew(browse, site):
    places = count()
    ann, bob, carl = people = [Messenger(Served(site), n, places) for n in ("ann", "bob", "carl")]
    for one in people:
        one.make_pair()
    room = ann.create_room("secrets", bob, carl)
    ann.hand_out(room)
    assert bob.answer_suggestion(room)
    assert carl.answer_suggestion(room)
    before = carl.write(room, "before")
    site.cli("user", "disable", "carl")  # he keeps the key, and can give it to nobody
    for one in (ann, bob):
        one.reset()
        one.sign_in()
    assert states(ann, bob) == ["dead", "dead"]

    watched = browse().sign_in("ann", ann.password)
    assert "let it make a key pair of your own" in watched.open(PAGE).text
    watched.holds()
    ann.make_pair()
    bob.make_pair()
    watched.open(PAGE).holds()
    key = watched.page.locator("[data-e2e-public-key]")
    key.evaluate("one => { one.was = one.dataset.e2ePublicKey; one.dataset.e2ePublicKey = '{}'; }")
    watched.page.get_by_role("button", name=BUTTON).click()
    watched.page.wait_for_selector("#e2e-room-key-failed", state="visible")
    watched.holds()
    key.evaluate("one => { one.dataset.e2ePublicKey = one.was; }")
    sent = []
    watched.page.on("request", lambda request: sent.append(request.post_data or ""))
    watched.press(BUTTON)
    assert "start a room anew with a new key" in watched.text
    assert states(ann) == ["dead"]
    watched.prove(ann.password)
    assert "The room has a new key." in watched.text
    watched.holds()
    assert states(ann, bob) == ["restored", "waiting"]

    wrapped = ann.subscription(room)["E2EKey"]
    (key,) = ann.keys(room)
    jwk = json.loads(key.jwk)
    assert {name: jwk[name] for name in ("kty", "alg", "ext")} == {
        "kty": "oct",
        "alg": "A256GCM",
        "ext": True,
    }
    assert sorted(jwk["key_ops"]) == ["decrypt", "encrypt"]
    assert len(from_url64(jwk["k"])) == 32
    assert ann.ask("rooms.info", roomId=room)["room"]["e2eKeyId"] == key.id
    assert urlencode({"e2eKey": wrapped}) in "".join(sent)
    assert jwk["k"] not in "".join(sent)

    ann.hand_out(room)
    assert bob.answer_suggestion(room)
    assert states(ann, bob) == ["restored", "restored"]
    assert bob.read(room, ann.write(room, "after")) == "after"
    site.cli("user", "enable", "carl")
    carl.sign_in()
    assert carl.subscription(room).get("E2EKey") is None
    assert carl.read(room, before) == "before"  # by the key before, which is an old one now


def test_without_javascript_the_page_says_what_to_do_instead(browse, site):
    dora = Messenger(Served(site), "dora", count())
    dora.make_pair()
    dora.create_room("secrets")
    dora.reset()
    dora.sign_in()
    dora.make_pair()
    watched = browse(scripts=False).sign_in("dora", dora.password)
    text = watched.open(PAGE).text
    assert "Your browser makes the key, for which it needs JavaScript" in text
    assert "Start a new key" not in text
