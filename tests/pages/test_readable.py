"""A host that knows rooms tells its users which of them they can read again."""

from itertools import chain

import pytest

from e2ereset.errors import HostError
from e2ereset.rooms import RoomState
from e2ereset.testing import MemoryAccounts
from tests.kit.host import BOB
from tests.kit.pages import PagesHost, prove

PAGE, API = "/security/rooms", "/api/v1/e2e.readability"
DAY = 86400


class Rooms(MemoryAccounts):
    """Accounts of a host that has encrypted rooms."""

    rooms = ()

    def readable_rooms(self, session, account_id, now):
        assert account_id == BOB.id
        assert session.is_active
        return self.rooms and [RoomState(id=f"r{n}", **room) for n, room in enumerate(self.rooms)]


@pytest.fixture
def host(make_host):
    return make_host("rooms", kind=PagesHost, accounts=Rooms(BOB))


def test_the_page_and_the_route_tell_what_the_host_knows(host):
    assert "You are in no encrypted room." in host.browser.get(PAGE).text
    now = int(host.app.extensions["e2ereset"].clock())
    waits = {"held": False, "holders": 2, "since": now}
    host.accounts.rooms = [
        {"name": "open", "held": True},
        {"name": "lost", "held": False},
        {"name": "new", "held": False, "keyed": False},
        {"name": "given", "held": False, "offered": True},
        {"name": "unknown", **waits},
        *({"name": f"{n} days", "seen_at": now - n * DAY, **waits} for n in (2, 7, 31, 32)),
    ]
    page = host.browser.get(PAGE).text
    told = [" ".join(one.split()) for one in page.split("<dt>")[1:]]
    words = ["Nobody has its key any more", "It has no key yet."]
    words += ["Its key is there for you.", "2 others can give it to you."]
    words += [f"seen within the last {n} days" for n in (2, 7, 31)] + ["None of them was seen"]
    words += ["You can read it."]  # what needs somebody comes first
    assert [word in one for word, one in zip(words, told, strict=True)] == [True] * 9
    assert "seen" not in told[3]
    assert "You have been waiting since" in told[3]
    assert "by mail" not in page
    assert page.count("<form") == 0
    found = host.browser.get(API).json["rooms"]
    assert [room["state"] for room in found] == ["restored", "dead", *["waiting"] * 7]
    assert [room.get("seenWithinDays") for room in found] == [*[None] * 5, 2, 7, 31, None]
    assert set(chain(*found)) == {
        *("_id", "name", "state", "holders", "seenWithinDays", "waitingSince")
    }


def test_after_a_reset_the_page_is_named(host):
    shown = host.browser.get("/security/reset/before").text
    led = host.browser.post(
        "/security/reset", data={"plan": shown.split('name="plan" value="')[1][:64]}
    )
    done = prove(host.browser, led, host.totp.code())
    assert f'href="{PAGE}"' in done.text
    assert f'href="{PAGE}"' in host.browser.get("/security/").text


def test_a_host_that_knows_no_rooms_has_no_such_page(pages):
    assert pages.browser.get(PAGE).status_code == 404
    assert pages.browser.get(API).status_code == 404
    assert "readable" not in pages.browser.get("/security/").text


def test_what_is_no_list_of_rooms_names_the_hosts_method(host):
    host.accounts.rooms, host.app.testing = None, True
    with pytest.raises(HostError, match=r"Rooms\.readable_rooms: it gave None"):
        host.browser.get(API)
