"""The plan of a reset: what it would lose, and a reset that is bound to it."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from e2ereset.reset.holds import Holds
from e2ereset.server.people.models import User
from e2ereset.server.rooms.models import Room, Subscription
from e2ereset.server.rooms.service import KEYS
from e2ereset.server.sessions.models import Token
from e2ereset.store.tables import table
from e2ereset.vault.models import KeyPair
from tests.kit.client import API
from tests.kit.databases import only_postgresql
from tests.kit.pages import browser_of
from tests.kit.world import error

PREVIEW = API + "users.resetE2EKey.preview"
JWK = '{"kty":"RSA","n":"AQ","e":"AQAB"}'
GONE = {"keySet": False, "roomsLost": 0, "signIns": 1, "tokens": 0}


@pytest.fixture
def plan(world):
    def plan(person, **query):
        return world.client.get(PREVIEW, query_string=query, headers=person.headers)

    return plan


def told(answer):
    assert answer.status_code == 200, answer.json
    return answer.json


def test_a_plan_names_what_is_lost_and_changes_nothing(world, plan, bob, eve):
    world.room("r1", bob, eve)
    world.room("r2", bob)
    world.room("r3", bob, keys=False)
    world.sign_in(bob.id)
    world.sign_in(bob.id, name="script", expires_at=None)
    found = told(plan(bob))
    assert found["rooms"] == [
        {"_id": "r1", "name": "", "holders": 1, "seenWithinDays": 2},
        {"_id": "r2", "name": "", "holders": 0},
    ]
    counts = {"roomsLost": 2, "roomsWithoutHolder": 1, "signIns": 2, "tokens": 1, "keySet": True}
    assert counts.items() <= found.items()
    assert world.has_key(bob)
    assert told(plan(bob)) == found


def test_who_may_reset_for_another_sees_no_rooms(world, plan, bob, admin):
    world.room("r1", bob)
    found = told(plan(admin, username="bob"))
    assert (found["roomsLost"], found["username"], "rooms" in found) == (1, "bob", False)
    assert told(plan(admin, userId=admin.id))["rooms"] == []


def test_who_resets_for_another_sees_no_rooms_in_a_plan_that_has_changed(world, plan, bob, admin):
    world.room("room-of-bob", bob)
    digest = told(plan(admin, username="bob"))["digest"]
    world.room("r2", bob)
    refused = world.reset(admin, {"username": "bob", "plan": digest}, code=world.code(admin))
    assert error(refused) == "error-plan-changed"
    assert refused.json["details"]["plan"]["roomsLost"] == 2
    assert "room-of-bob" not in refused.text


def test_who_may_not_reset_learns_nothing(plan, bob, eve, admin):
    for query in ({"username": "eve"}, {"username": "nobody"}, {"userId": admin.id}):
        assert error(plan(bob, **query)) == "error-not-allowed"
    assert error(plan(admin, username="nobody")) == "error-invalid-user"


def test_who_cannot_sign_in_gives_no_key_back(world, plan, bob):
    world.room("r1", bob, world.person("gone", active=False, key=False))
    assert told(plan(bob))["rooms"][0]["holders"] == 0


def test_what_could_not_be_reset_has_no_plan(world, plan, admin):
    world.person("fed", kind="federated", key=False)
    assert error(plan(admin, username="fed")) == "error-not-allowed"


def test_a_reset_that_carries_the_plan_is_done_while_it_holds(world, plan, bob):
    world.room("r1", bob)
    digest = told(plan(bob))["digest"]
    assert world.reset(bob, {"plan": digest}, code=world.code(bob)).json == {"success": True}
    assert GONE.items() <= told(plan(world.again(bob))).items()


def test_a_reset_of_another_plan_is_refused_with_the_new_one(world, plan, bob):
    digest = told(plan(bob))["digest"]
    world.room("r1", bob)
    refused = world.reset(bob, {"plan": digest}, code=world.code(bob))
    assert error(refused) == "error-plan-changed"
    details = refused.json["details"]
    assert [room["_id"] for room in details["plan"]["rooms"]] == ["r1"]
    assert details["digest"] == told(plan(bob))["digest"]
    assert world.has_key(bob)
    assert world.outcomes()[-1][-1] == "error-plan-changed"


def test_the_digest_changes_with_the_key_and_with_who_else_can_read(world, plan, bob, eve):
    world.room("r1", bob, eve)
    digests = [told(plan(bob))["digest"]]
    for change in (
        lambda session: session.query(KeyPair).update({"public_key": JWK}),
        lambda session: session.query(KeyPair).update({"set_at": 1}),
        lambda session: session.query(KeyPair).delete(),
        lambda session: session.query(Subscription).filter_by(user_id=eve.id).delete(),
    ):
        with world.runtime.transactions.begin() as session:
            change(session)
        digests.append(told(plan(bob))["digest"])
    assert len(set(digests)) == len(digests)


@only_postgresql
@pytest.mark.parametrize("by", ["bob", "root"])
def test_between_the_checks_and_the_act_nothing_is_added_and_nobody_holds(
    world, plan, bob, admin, monkeypatch, by
):
    world.room("r1", bob)
    owned = (User.id, Token.user_id, Subscription.user_id)
    check, seen, caller = Holds.check, [], {"bob": bob, "root": admin}[by]

    def checked(*args):
        check(*args)
        for one in owned:  # a suggestion, a new room, a new sign-in and a hold would wait
            rows = select(one).where(one == bob.id).with_for_update(nowait=True)
            with world.engine.connect() as other, pytest.raises(OperationalError, match="lock"):
                other.execute(rows)
            seen.append(one)

    digest = told(plan(bob))["digest"]
    monkeypatch.setattr(Holds, "check", checked)
    planned = {"plan": digest, "username": "bob"}
    assert world.reset(caller, planned, code=world.code(caller)).json == {"success": True}
    assert len(seen) == len(owned)


@pytest.mark.parametrize("more", ["", "0", "\n", "0" * 1000])
def test_what_is_no_digest_is_refused_before_the_proof(world, bob, more):
    digest = "0" * (64 if more else 63)
    assert error(world.reset(bob, {"plan": digest + more})) == "invalid-params"


# Which keys of a room each of the people has; None for who is no member.
ROOMS = st.lists(st.tuples(*[st.none() | st.sets(st.sampled_from(KEYS))] * 4), max_size=4)
PAIRS, TOKENS, MEMBERS = (table(one) for one in (KeyPair, Token, Subscription))
NUMBERS = count()


def stored(world):
    """The rows that a reset could take or change, by table and key."""
    world.session.rollback()
    return {
        (rows.name, *(row[key.name] for key in rows.primary_key)): dict(row)
        for rows in (PAIRS, TOKENS, MEMBERS, table(Room), table(User))
        for row in world.session.execute(select(rows)).mappings()
    }


def fill(world, people, rooms):
    """Make the rooms; by the name of each that the first has keys of, how many others give it."""
    holders = {}
    for room, held in rooms.items():
        world.room(room)
        for person, names in zip(people, held, strict=True):
            if names is not None:
                keys = dict.fromkeys(names, "[]")
                world.session.add(Subscription(user_id=person.id, room_id=room, **keys))
        gives = [bool(names and names & {"e2e_key", "suggested_key"}) for names in held]
        holders |= {room: sum(gives[1:3])} if held[0] else {}  # the last cannot sign in
    world.session.commit()
    return holders


@given(st.booleans(), st.booleans(), ROOMS, st.integers(0, 2), st.integers(0, 2))
def test_the_plan_is_what_the_reset_then_does_row_by_row(
    world, plan, helped, has_key, rooms, sign_ins, tokens
):
    number = next(NUMBERS)  # the examples are people of one world
    bob = world.person(f"bob{number}", totp=True, key=has_key)
    others = [world.person(f"{name}{number}") for name in ("eve", "ann")]
    others.append(world.person(f"gone{number}", active=False, key=False))
    boss = world.person(f"boss{number}", totp=True, roles=("admin",))
    rooms = {f"r{number}-{n}": held for n, held in enumerate(rooms)}
    holders = fill(world, [bob, *others], rooms)
    for _ in range(sign_ins):
        world.sign_in(bob.id)
        world.sign_in(bob.id, expires_at=world.clock.now)  # over, which is no loss
    for n in range(tokens):
        world.sign_in(bob.id, name=f"t{n}", expires_at=None)
    before, found = stored(world), told(plan(bob))
    assert {room["_id"]: room["holders"] for room in found["rooms"]} == holders
    assert (found["keySet"], found["roomsLost"]) == (has_key, len(holders))
    shown = told(plan(boss, userId=bob.id))
    assert shown == {name: value for name, value in found.items() if name != "rooms"}

    by, planned = boss if helped else bob, {"userId": bob.id, "plan": shown["digest"]}
    assert world.reset(by, planned, code=world.code(by)).status_code == 200
    after = stored(world)
    pair = {(PAIRS.name, bob.id)} if has_key else set()
    read = {(MEMBERS.name, bob.id, room) for room in holders}
    ended = {
        key: row
        for key, row in before.items()
        if key[0] == TOKENS.name and row["user_id"] == bob.id
    }
    assert {key for key, row in before.items() if after.get(key) != row} == pair | read | {*ended}
    assert after.keys() == before.keys() - pair - {*ended}
    assert not any(after[key][name] for key in read for name in KEYS)
    live = [row["kind"] for row in ended.values() if row["expires_at"] != world.clock.now]
    assert live.count("login") == found["signIns"]
    assert live.count("personal") == found["tokens"] == tokens


def test_who_is_seen_meanwhile_changes_no_digest(world, plan, bob, eve):
    world.room("r1", bob, eve)
    before = told(plan(bob))
    with world.runtime.transactions.begin() as session:
        session.query(Token).filter_by(user_id=eve.id).update({"created_at": 1})
    after = told(plan(bob))
    assert (before["rooms"][0].pop("seenWithinDays"), after) == (2, before)
    page = browser_of(world, bob).get("/security/reset").text
    assert "This person was not seen within the last month." in page


def test_the_digest_is_keyed_so_that_names_of_rooms_cannot_be_tried(world, with_settings, bob):
    twin = with_settings(SECRET_KEY="another key, for tests only")
    first, second = (w.client.get(PREVIEW, headers=bob.headers).json for w in (world, twin))
    assert first.pop("digest") != second.pop("digest")
    assert first == second
