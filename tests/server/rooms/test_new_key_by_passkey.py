"""A passkey's proof for the new key of a room is for that key."""

from base64 import b64encode

import pytest

from e2ereset.server.rooms.models import Room, RoomRole, Subscription
from tests.kit.pages import browser_of
from tests.kit.passkeys import SETTINGS, add, asked

NEW_KEY = "/rooms/readable/new-key"
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def config(config):
    return config | SETTINGS


def test_what_is_signed_for_one_key_starts_no_other(world):
    ann = world.person("ann", password="a long password")
    world.session.add(Room(id="r1", encrypted=True, e2e_key_id="K1"))
    world.session.flush()
    world.session.add(Subscription(user_id=ann.id, room_id="r1"))
    world.session.flush()
    world.session.add(RoomRole(user_id=ann.id, room_id="r1", role="owner"))
    world.session.commit()
    passkey = add(browser_of(world, ann), code="a long password")
    world.clock.tick(1)
    browser = browser_of(world, world.again(ann))

    def led(byte):
        key = ID + b64encode(byte * 256).decode()
        return browser.post(NEW_KEY, data={"rid": "r1", "e2eKeyId": ID, "e2eKey": key}).location

    shown, other = led(b"a"), led(b"b")
    shown = led(b"a")  # a challenge is for what was asked for last
    signed = passkey.sign(asked(browser.get(shown).text))
    assert browser.post(other, data={"code": signed}).status_code == 400
    assert browser.post(shown, data={"code": signed}).location == "/rooms/readable?started=1"
