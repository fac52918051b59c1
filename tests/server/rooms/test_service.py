"""Room keys in the bare database: what a reset drops, and who waits."""

import pytest
from sqlalchemy import select

from e2ereset.server.rooms.models import Room, Subscription, Waiting
from e2ereset.server.rooms.service import drop_room_keys, wait_for_keys
from tests.kit.server import NOW, make_user

BOB = "id-of-bob"


@pytest.fixture(autouse=True)
def bob(session):
    make_user(session)


def join(session, room_id, *, encrypted=True, **keys):
    session.add(Room(id=room_id, encrypted=encrypted))
    session.flush()
    session.add(Subscription(user_id=BOB, room_id=room_id, **keys))
    session.flush()


def waiting(session):
    return dict(map(tuple, session.execute(select(Waiting.room_id, Waiting.since))))


def test_dropping_keys_clears_all_four_columns(session):
    keys = ("e2e_key", "suggested_key", "suggested_old_keys", "old_keys")
    join(session, "r1", **dict.fromkeys(keys, "wrapped"))
    assert drop_room_keys(session, BOB, NOW)
    columns = [getattr(Subscription, key) for key in keys]
    assert session.execute(select(*columns)).one() == (None,) * 4


def test_dropping_keys_waits_in_encrypted_rooms_only(session):
    join(session, "secret", e2e_key="k")
    join(session, "keyless")
    join(session, "open", encrypted=False)
    drop_room_keys(session, BOB, NOW)
    assert waiting(session) == {"secret": NOW, "keyless": NOW}


def test_who_waits_already_keeps_the_place_and_nothing_to_drop_is_said(session):
    join(session, "r1")
    assert not drop_room_keys(session, BOB, NOW)
    drop_room_keys(session, BOB, NOW + 9)
    assert waiting(session) == {"r1": NOW}


def test_keys_of_others_stay(session):
    make_user(session, "eve")
    join(session, "r1", e2e_key="k")
    session.add(Subscription(user_id="id-of-eve", room_id="r1", e2e_key="eve's"))
    session.flush()
    drop_room_keys(session, BOB, NOW)
    assert set(session.scalars(select(Subscription.e2e_key))) == {None, "eve's"}
    assert session.scalars(select(Waiting.user_id)).all() == [BOB]


def test_a_new_key_pair_waits_where_the_room_key_is_missing(session):
    join(session, "has", e2e_key="k")
    join(session, "lacks")
    join(session, "open", encrypted=False)
    wait_for_keys(session, BOB, NOW)
    assert waiting(session) == {"lacks": NOW}
