"""Key pairs and room keys."""

import secrets
import time
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bench.soak.client import Client, Move
from bench.soak.http import Answer
from bench.soak.outages import BROKEN
from bench.soak.people import ROOMS, Person

from .after import refused
from .signing import look

HAND_OUT = (
    "UPDATE subscriptions SET e2e_key = 'K' WHERE user_id = :person",
    "DELETE FROM waiting_for_keys WHERE user_id = :person",
)


def set_key(client: Client, person: Person) -> bool:
    """Store a first key pair, or with `force` the stored one again; without it, be refused."""
    force, state = client.random.random() < 0.5, person.state
    pair = secrets.token_hex(8) if state.pair is None else state.pair
    taken = state.pair is not None and not force
    after = state
    if state.pair is None:
        after = replace(state, pair=pair, waits=state.waits if state.room_keys else len(ROOMS))
    body = {"public_key": pair, "private_key": "PRIV", "force": force}
    client.play(
        Move(
            what="set keys",
            send=lambda: client.line.post("e2e.setUserPublicAndPrivateKeys", person.headers, body),
            right="400 error-keys-already-set" if taken else "200",
            after={person: refused(person) if taken else after},
        )
    )
    return True


def fetch_key(client: Client, person: Person) -> bool:
    """Fetch the key pair, which is the one that was set last."""
    answer = look(client, person, "e2e.fetchMyKeys", "200")
    if answer and answer.body.get("public_key") != person.state.pair:
        client.record.found(f"wrong answer: {person.name} fetched a key that is not there")
    return True


def hand_out(client: Client, person: Person) -> bool:
    """Another member of the rooms hands the room keys out, straight into the database."""
    if person.state.room_keys:
        return False

    def send() -> Answer:
        start, kind = time.time(), "200"
        try:
            with client.engine.begin() as connection:
                for statement in HAND_OUT:
                    connection.execute(text(statement), {"person": person.id})
        except SQLAlchemyError:
            kind = BROKEN
        return Answer(kind=kind, body={}, start=start, end=time.time())

    after = replace(person.state, room_keys=len(ROOMS), waits=0)
    client.play(Move(what="(hand out room keys)", send=send, right="200", after={person: after}))
    return True
