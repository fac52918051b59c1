"""Who has the key of a room is asked for it once a day at most, whoever asks."""

from sqlalchemy import delete

from e2ereset.server.rooms.models import Room, Subscription
from e2ereset.server.sessions.models import Token
from tests.kit.client import API

DAY = 86400


def test_a_helper_gets_one_mail_a_day_of_all_who_wait(world, bob, eve):
    ann = world.person("ann")
    for name, waiting in (("one", bob), ("two", ann)):
        world.room(name, eve)
        world.session.add(Subscription(user_id=waiting.id, room_id=name))
        world.session.get(Room, name).e2e_key_id = "K"
    world.session.commit()

    def asked(person):
        return world.client.post(f"{API}e2e.askForKeys", headers=person.headers).json["asked"]

    begun = world.clock.now
    assert [asked(person) for person in (bob, ann, bob)] == [1, 0, 0]
    world.clock.now = begun + DAY - 1
    assert [asked(world.again(person)) for person in (bob, ann)] == [0, 0]
    world.clock.now = begun + DAY
    assert [asked(world.again(person)) for person in (ann, bob)] == [1, 0]
    assert [facts["by"] for _, facts in world.queued("room-key-asked")] == ["bob", "ann"]


def test_a_helper_is_told_of_no_rooms_but_their_own(world, bob, eve):
    ann = world.person("ann")
    for name, helpers in {"one": [eve], "two": [eve, ann], "three": [ann], "four": [ann]}.items():
        world.room(name, *helpers)
        world.session.add(Subscription(user_id=bob.id, room_id=name))
    world.room("mine", bob, eve)
    world.session.commit()
    assert world.client.post(f"{API}e2e.askForKeys", headers=bob.headers).json["asked"] == 2
    told = {to: facts["rooms"] for to, facts in world.queued("room-key-asked")}
    assert told == {"eve@x.org": 2, "ann@x.org": 3}


def test_of_many_helpers_those_are_asked_who_were_seen_last(world, bob):
    crowd = sorted((world.person(f"p{n}", key=False) for n in range(22)), key=lambda one: one.id)
    world.room("one", *crowd)
    world.session.add(Subscription(user_id=bob.id, room_id="one"))
    world.session.get(Room, "one").e2e_key_id = "K"
    world.session.commit()
    gone, *_, last = crowd
    world.session.execute(delete(Token).where(Token.user_id == gone.id))
    world.session.commit()
    world.clock.now += 60
    world.again(last)
    assert world.client.post(f"{API}e2e.askForKeys", headers=bob.headers).json["asked"] == 20
    told = {to for to, _ in world.queued("room-key-asked")}
    assert f"{last.username}@x.org" in told
    assert f"{gone.username}@x.org" not in told
