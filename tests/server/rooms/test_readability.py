"""Which rooms can be read again after a reset, and the mails to those who can help."""

import pytest

from e2ereset.server.people.accounts import USERS
from e2ereset.server.rooms.models import Room, Subscription, Waiting
from e2ereset.server.sessions.models import Token
from tests.kit.client import API

READABILITY, ASK = API + "e2e.readability", API + "e2e.askForKeys"
DAY = 86400


@pytest.fixture
def rooms(world, bob, eve):
    """Bob was in three rooms, of which eve has one key, and the key of a room that he has not."""
    ann = world.person("ann")
    for name, people in {"with-eve": [eve], "alone": [], "mine": [bob, eve]}.items():
        world.room(name, *people)
        if bob not in people:
            world.session.add(Subscription(user_id=bob.id, room_id=name))
            world.session.add(Waiting(user_id=bob.id, room_id=name, since=world.clock.now))
    world.session.get(Room, "alone").e2e_key_id = "K1"
    world.session.get(Room, "with-eve").e2e_key_id = "K2"
    world.session.add(Room(id="unused", encrypted=True))
    world.session.flush()
    world.session.add(Subscription(user_id=bob.id, room_id="unused"))
    world.room("plain", bob, encrypted=False)
    world.room("of-others", eve, ann)
    world.session.commit()
    return ann


def states(world, person):
    answer = world.client.get(READABILITY, headers=person.headers)
    assert answer.status_code == 200
    return {room["_id"]: (room["state"], room["holders"]) for room in answer.json["rooms"]}


def ask(world, person):
    return world.client.post(ASK, headers=person.headers).json["asked"]


def mailed(world):
    return [(to, facts["by"], facts["rooms"]) for to, facts in world.queued("room-key-asked")]


def test_each_encrypted_room_is_restored_waiting_or_dead(world, rooms, bob):
    found = {"with-eve": ("waiting", 1), "alone": ("dead", 0), "mine": ("restored", 1)}
    assert states(world, bob) == found | {"unused": ("waiting", 0)}


def test_who_cannot_sign_in_helps_nobody(world, rooms, bob, eve):
    with world.runtime.transactions.begin() as session:
        session.execute(USERS.update().where(USERS.c.id == eve.id).values(active=False))
    assert states(world, bob)["with-eve"] == ("dead", 0)


def test_it_is_told_roughly_when_one_who_can_help_was_last_seen(world, rooms, bob, eve):
    def seen():
        answer = world.client.get(READABILITY, headers=world.again(bob).headers).json
        return [room.get("seenWithinDays") for room in answer["rooms"] if room["holders"]]

    def use(headers, at):
        world.clock.now = at
        assert world.client.get(f"{API}me", headers=headers).status_code == 200

    made, personal = world.clock.now, world.sign_in(eve.id, name="bot", expires_at=None)
    for days, told in ((0, 2), (0.9, 2)):
        world.clock.now = made + int(days * DAY)
        assert seen() == [None, told]  # of a room that one can read it is not told
    world.clock.now = made + DAY
    assert seen() == [None, None]  # her sign-in has ended
    signed_in = world.sign_in(eve.id, expires_at=made + 99 * DAY)
    use(signed_in, made + 3 * DAY)
    for days, told in ((5, 2), (6, 7), (10, 7), (11, 31), (34, 31), (35, None)):
        use(personal, made + days * DAY)
        assert seen() == [None, told], days


def test_holders_are_asked_by_mail_once_a_day(world, rooms, bob):
    assert ask(world, bob) == 1
    assert mailed(world) == [("eve@x.org", "bob", 1)]
    assert ask(world, bob) == 0
    world.clock.now += DAY
    world.again(bob)
    assert ask(world, bob) == 1
    assert [row[-1] for row in world.outcomes() if row[0] == "ask-for-room-keys"] == [
        "asked",
        "nobody-to-ask",
        "asked",
    ]


def test_who_waits_for_nothing_asks_nobody(world, rooms):
    assert ask(world, rooms) == 0
    assert mailed(world) == []


def test_a_room_comes_back_when_its_key_does(world, rooms, bob):
    with world.runtime.transactions.begin() as session:
        mine = {"user_id": bob.id, "room_id": "with-eve"}
        session.query(Subscription).filter_by(**mine).update({"e2e_key": "K"})
    assert states(world, bob)["with-eve"] == ("restored", 1)


def test_the_page_says_it_in_words_and_asks(world, rooms):
    world.person("dora", password="a long password")
    browser = world.app.test_client()
    browser.post("/sign-in", data={"name": "dora", "password": "a long password"})
    assert "You are in no encrypted room." in browser.get("/rooms/readable").text
    with world.runtime.transactions.begin() as session:
        for room in ("with-eve", "alone"):
            session.add(Subscription(user_id="id-of-dora", room_id=room))
        session.get(Room, "alone").name = "diary"
    page = browser.get("/rooms/readable").text
    assert "1 other person can give it to you." in page
    assert "This person was seen within the last 2 days." in page
    assert "Nobody has its key any more" in page
    assert browser.post("/rooms/readable").location == "/rooms/readable?asked=1"
    with world.runtime.transactions.begin() as session:
        session.query(Token).filter_by(user_id="id-of-eve").delete()
    assert "This person was not seen within the last month." in browser.get("/rooms/readable").text
    assert mailed(world) == [("eve@x.org", "dora", 1)]
