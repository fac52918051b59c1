"""A whole life of end-to-end encryption, played with real cryptography over HTTP."""

from itertools import count

import pytest

from tests.kit.e2ee import Messenger


@pytest.fixture
def join(world):
    """Makes people who have a key pair, and no client but this one."""
    places = count()

    def join(name):
        client = Messenger(world, name, places)
        client.make_pair()
        return client

    return join


@pytest.fixture
def ann(join):
    return join("ann")


@pytest.fixture
def bob(join):
    return join("bob")


@pytest.fixture
def room(ann, bob):
    """An encrypted room of ann and bob, who both have its key."""
    rid = ann.create_room("secrets", bob)
    ann.hand_out(rid)
    assert bob.answer_suggestion(rid)
    return rid


def start_again(client):
    """After the reset of one's key: sign in, find no pair, make another one."""
    assert not client.is_signed_in()
    client.sign_in()
    assert client.ask("e2e.fetchMyKeys") == {"success": True}
    client.make_pair()


def test_two_people_exchange_a_key_and_only_ciphertext_reaches_the_server(ann, bob, room):
    message = ann.write(room, "the cellar door")
    assert bob.read(room, message) == "the cellar door"
    assert ann.read(room, bob.write(room, "is open")) == "is open"
    bob.load_pair()  # on another device, by the E2E password
    assert bob.read(room, message) == "the cellar door"
    assert ann.subscription(room)["E2EKey"] != bob.subscription(room)["E2EKey"]


def test_who_has_reset_waits_is_given_the_key_again_and_reads_again(ann, bob, room):
    before = ann.write(room, "before")
    bob.reset()
    start_again(bob)
    assert bob.keys(room) == []
    assert ann.waiting(room) == {bob.id: bob.public_key}
    ann.hand_out(room)
    assert ann.waiting(room) == {}
    assert bob.answer_suggestion(room)
    assert bob.read(room, before) == "before"
    assert ann.read(room, bob.write(room, "after")) == "after"


def state(client, room):
    """How the server tells the way back to this room, and how many could help."""
    (told,) = client.ask("e2e.readability")["rooms"]
    assert told["_id"] == room
    return told["state"], told["holders"]


def test_a_room_is_waiting_then_restored_and_dead_when_both_have_reset(ann, bob, room):
    bob.reset()
    start_again(bob)
    assert state(bob, room) == ("waiting", 1)
    assert bob.tell("e2e.askForKeys")["asked"] == 1
    ann.hand_out(room)
    assert bob.answer_suggestion(room)
    assert state(bob, room) == ("restored", 1)
    for one in (ann, bob):
        one.reset()
        start_again(one)
    assert state(ann, room) == ("dead", 0)
    ann.restart_room(room)
    ann.hand_out(room)
    assert bob.answer_suggestion(room)
    assert state(ann, room) == state(bob, room) == ("restored", 1)
    assert bob.read(room, ann.write(room, "after")) == "after"


def test_a_key_wrapped_for_the_lost_pair_is_rejected_and_asked_for_again(ann, bob, room):
    lost = ann.write(room, "hello"), {bob.id: bob.public_key}
    bob.reset()
    start_again(bob)
    ann.hand_out(room, to=lost[1])  # ann's client has not heard of the new pair
    assert not bob.answer_suggestion(room)
    ann.hand_out(room)
    assert bob.answer_suggestion(room)
    assert bob.read(room, lost[0]) == "hello"


def test_when_both_have_reset_the_room_starts_again_and_old_keys_read_what_was_before(
    join, ann, bob, room
):
    carl = join("carl")
    ann.tell("groups.invite", roomId=room, userId=carl.id)
    ann.hand_out(room)
    assert carl.answer_suggestion(room)
    before = ann.write(room, "before")
    for one in (ann, bob):
        one.reset()
        start_again(one)
        assert one.keys(room) == []

    ann.restart_room(room)
    after = ann.write(room, "after")
    assert ann.read(room, before) is None
    assert (carl.read(room, before), carl.read(room, after)) == ("before", None)

    ann.hand_out(room)
    assert bob.answer_suggestion(room)
    assert carl.answer_suggestion(room)
    assert (bob.read(room, before), bob.read(room, after)) == (None, "after")
    assert (carl.read(room, before), carl.read(room, after)) == ("before", "after")

    carl.hand_out(room, to={ann.id: ann.public_key, bob.id: bob.public_key})
    for one in (ann, bob):
        assert one.answer_suggestion(room)
        assert (one.read(room, before), one.read(room, after)) == ("before", "after")
