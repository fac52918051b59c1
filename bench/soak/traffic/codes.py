"""Mailed codes again."""

import time

from bench.soak.client import Client, Move
from bench.soak.people import ASKS, Person

from .after import grow
from .proofs import Proof, wait_for_code
from .resets import own_reset


def ask_again(client: Client, person: Person) -> bool:
    """Ask for another code as a stranger may: both are good, until one of them is used."""
    old = person.pending_code
    if old is None or not person.may_send or person.asks == ASKS:
        return False
    person.pending_code, person.sent_at, person.asks = None, time.time(), person.asks + 1
    answer = client.play(
        Move(
            what="sendEmailCode",
            send=lambda: client.line.post(
                "users.2fa.sendEmailCode", None, {"emailOrUsername": person.name}
            ),
            right="200",
            after={person: grow(person.state, codes=len(person.addresses))},
        )
    )
    code = answer and wait_for_code(client, person, answer.start)
    if not code:
        person.quiet = True
        return True
    used, other = client.random.sample([old, code], 2)
    proof = Proof(person, used, "email")
    proof.burns = other
    own_reset(client, person, proof)
    return True


def ask_for_nobody(client: Client, person: Person) -> bool:
    """Ask for a code where none waits: the same answer, and nothing happens."""
    if person.pending_code or person.quiet:
        return False
    name = client.random.choice([person.name, "nobody"])
    if person.kind == "email":
        name = "nobody"
    client.play(
        Move(
            what="sendEmailCode for nothing",
            send=lambda: client.line.post(
                "users.2fa.sendEmailCode", None, {"emailOrUsername": name}
            ),
            right="200",
            after={person: person.state},
        )
    )
    return True
