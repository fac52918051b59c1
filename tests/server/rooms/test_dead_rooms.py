"""The owner of a dead room starts it anew on the page, behind a second factor."""

import json
from base64 import b64encode

import pytest
from sqlalchemy import event

from e2ereset.server.rooms.models import Room, RoomRole, Subscription
from tests.kit.client import API
from tests.kit.pages import browser_of, prove

PAGE, NEW_KEY = "/rooms/readable", "/rooms/readable/new-key"
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
KEY = ID + b64encode(bytes(256)).decode()
UNCHANGED = "The room was not changed."
NOT_DEAD = "The room keeps its key: somebody has it now"


@pytest.fixture
def ann(world):
    """The owner of a dead room, with an authenticator app."""
    ann = world.person("ann", totp=True)
    world.clock.now += 60
    world.again(ann)
    world.session.add(Room(id="r1", name="diary", encrypted=True, e2e_key_id="K1"))
    world.session.flush()
    world.session.add(Subscription(user_id=ann.id, room_id="r1"))
    world.session.flush()
    world.session.add(RoomRole(user_id=ann.id, room_id="r1", role="owner"))
    world.session.commit()
    return ann


@pytest.fixture
def browser(world, ann):
    return browser_of(world, ann)


def form(**changed):
    return {"rid": "r1", "e2eKeyId": ID, "e2eKey": KEY} | changed


def join(world, person, **facts):
    world.session.add(Subscription(user_id=person.id, room_id="r1", **facts))
    world.session.commit()


def key_id(world):
    [row] = world.rows(Room, id="r1")
    return row.e2e_key_id


def refused(answer, words, status=400):
    assert (answer.status_code, "There is a problem" in answer.text) == (status, True)
    assert words in answer.text


def test_the_new_key_is_stored_as_by_a_client_after_the_proof(world, ann, browser, bob):
    join(world, bob, old_keys=json.dumps([{"e2eKeyId": "K0", "ts": "t", "E2EKey": "OLD"}]))
    shown = browser.get(PAGE).text
    assert 'data-e2e-public-key="PUB"' in shown
    assert "Start a new key" in shown
    led = browser.post(NEW_KEY, data=form())
    assert key_id(world) == "K1"
    assert "start a room anew with a new key" in browser.get(led.location).text
    assert prove(browser, led, "000000").status_code == 400
    done = prove(browser, led, world.code(ann))
    assert done.location == f"{PAGE}?started=1"
    assert "The room has a new key." in browser.get(done.location).text
    assert key_id(world) == ID
    [mine], [his] = (world.rows(Subscription, user_id=one.id) for one in (ann, bob))
    assert (mine.e2e_key, his.e2e_key) == (KEY, None)
    assert json.loads(his.old_keys)[0]["E2EKey"] == "OLD"
    assert (world.waiting(ann), world.waiting(bob)) == (set(), {"r1"})
    rows = [(row[0], row[2], row[3], row[4]) for row in world.outcomes()]
    assert ("reset-room-key", "r1", "totp", "done") in rows
    assert prove(browser, led, world.code(ann)).status_code == 410
    world.clock.now += 60
    refused(prove(browser, browser.post(NEW_KEY, data=form()), world.code(ann)), UNCHANGED)


def test_who_owns_no_dead_room_is_offered_nothing(world, ann, browser, bob, eve):
    join(world, bob)
    other = browser_of(world, bob)
    assert "An owner of the room can start a new key." in other.get(PAGE).text
    refused(other.post(NEW_KEY, data=form()), "Only an owner", 403)
    refused(browser_of(world, eve).post(NEW_KEY, data=form()), "Only an owner", 403)
    world.permit("toggle-room-e2e-encryption", "owner", allowed=False)
    assert "data-e2e-room-key" not in browser.get(PAGE).text
    refused(browser.post(NEW_KEY, data=form()), "Only an owner", 403)
    world.permit("toggle-room-e2e-encryption", "user")
    assert "data-e2e-room-key" in other.get(PAGE).text
    refused(browser.post(NEW_KEY, data=form(rid="nowhere")), "Only an owner")
    assert key_id(world) == "K1"
    assert [row[4] for row in world.outcomes() if row[0] == "reset-room-key"] == [
        "error-not-allowed"
    ] * 4


@pytest.mark.parametrize("given", [{"e2e_key": "K"}, {"suggested_key": "S"}])
def test_a_room_whose_key_somebody_has_or_is_offered_is_not_dead(world, ann, browser, bob, given):
    led = browser.post(NEW_KEY, data=form())
    join(world, bob, **given)
    assert "data-e2e-room-key" not in browser.get(PAGE).text
    refused(prove(browser, led, world.code(ann)), NOT_DEAD)
    assert key_id(world) == "K1"


def test_a_key_that_is_offered_to_its_owner_is_not_thrown_away(world, ann, browser, eve):
    with world.runtime.transactions.begin() as session:
        session.query(Subscription).update({"suggested_key": "S"})
    assert "Its key is there for you." in browser.get(PAGE).text
    answer = world.client.get(f"{API}e2e.readability", headers=ann.headers)
    assert [room["state"] for room in answer.json["rooms"]] == ["waiting"]
    refused(prove(browser, browser.post(NEW_KEY, data=form()), world.code(ann)), NOT_DEAD)
    join(world, eve, e2e_key="K")
    assert "Ask for the keys" not in browser.get(PAGE).text
    assert world.client.post(f"{API}e2e.askForKeys", headers=ann.headers).json["asked"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"e2eKeyId": "short"},
        {"e2eKey": ID + b64encode(bytes(255)).decode()},
        {"e2eKey": KEY[1:]},
        {"e2eKey": ID + "ü" * 344},
        {"e2eKey": ID + '{"kty":"oct"}'},
        {"rid": "r" * 256},
    ],
)
def test_what_no_client_could_read_is_refused_before_the_proof(world, browser, wrong):
    refused(browser.post(NEW_KEY, data=form(**wrong)), "Your browser did not make a key")
    assert key_id(world) == "K1"


def test_without_a_pair_of_ones_own_the_page_says_to_make_one_first(world, ann, browser):
    world.reset(ann, code=world.code(ann))
    world.clock.now += 60
    browser = browser_of(world, world.again(ann))
    page = browser.get(PAGE).text
    assert "let it make a key pair of your own" in page
    assert "data-e2e-room-key" not in page
    refused(prove(browser, browser.post(NEW_KEY, data=form()), world.code(ann)), UNCHANGED)


def test_while_a_client_restarts_the_room_the_page_does_not(world, ann, browser):
    with world.runtime.transactions.begin() as session:
        held = {"key_lease": "another's", "key_lease_until": world.clock.now + 10}
        session.query(Room).update(held)
    refused(browser.post(NEW_KEY, data=form()), "Look again in ten seconds")


def test_the_page_asks_for_as_much_whatever_the_number_of_rooms(world, ann, browser):
    seen = []
    event.listen(world.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    browser.get(PAGE)
    few = len(seen)
    for n in range(5):
        world.session.add(Room(id=f"more{n}", encrypted=True, e2e_key_id="K"))
        world.session.flush()
        world.session.add(Subscription(user_id=ann.id, room_id=f"more{n}"))
    world.session.commit()
    seen.clear()
    assert browser.get(PAGE).text.count("<dt>") == 6
    assert len(seen) == few
