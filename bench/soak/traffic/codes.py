"""Mailed codes again."""

from __future__ import annotations

import time

from bench.soak.client import Client, Move
from bench.soak.people import Person

from .after import grow
from .proofs import Proof, wait_for_code
from .refusals import refusal
from .resets import own_reset
from .words import INVALID


def ask_again(client: Client, person: Person) -> bool:
    """Have a code mailed again: the old one is dead, the new one is good."""
    old = person.pending_code
    if old is None or not (person.may_send and person.may_err):
        return False
    person.pending_code, person.sends, person.sent_at = None, person.sends + 1, time.time()
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
    if code != old:
        person.wrong += 1
        stale = Proof(person, old, "email")
        words = "reset, replaced mailed code"
        refusal(client, person, stale, right=f"400 {INVALID}", what=words)
    if person in client.ready():
        own_reset(client, person, Proof(person, code, "email"))
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
