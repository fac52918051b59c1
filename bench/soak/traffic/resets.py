"""Resets that are right."""

from bench.soak.client import Client, Move
from bench.soak.http import Answer
from bench.soak.outages import BROKEN
from bench.soak.people import Person

from .after import after_reset, grow
from .proofs import Proof, find_proof
from .refusals import refusal
from .signing import use_dead_token
from .words import INVALID, NOT_ALLOWED, NOT_SIGNED_IN, RESET


def reset_own(client: Client, person: Person) -> bool:
    """Reset one's own key; the token it came with is dead at once."""
    if person.kind == "bypass":
        return False  # it would lose the token that makes it one
    proof = find_proof(client, person, "reset")
    if proof is None:
        return False
    if person.kind == "email" and client.random.random() < 0.2:
        person.pending_code = proof.code
        return True
    own_reset(client, person, proof)
    return True


def own_reset(client: Client, person: Person, proof: Proof) -> None:
    """Make the reset with this proof, then try the dead token."""
    if person.kind == "federated":
        refusal(client, person, proof, right=f"400 {NOT_ALLOWED}", what="federated reset")
        return

    def done(_answer: Answer | None) -> None:
        person.sign_out_all()
        proof.used()

    if client.play(
        Move(
            what=f"own reset by {_way(person, proof)}",
            send=lambda: client.line.post(RESET, person.headers | proof.headers),
            right="200",
            after={person: grow(after_reset(person), **proof.grown)},
            done=done,
        )
    ):
        use_dead_token(client, person)


def reset_other(client: Client, person: Person) -> bool:
    """Reset the key of somebody else, by id or by name."""
    if person.kind not in ("admin", "chief", "bypass"):
        return False
    others = [p for p in client.ready("totp", "email", "plain") if p is not person]
    proof = find_proof(client, person, "reset") if others else None
    if proof is None:
        return False
    target = client.random.choice(others)
    body = client.random.choice([{"userId": target.id}, {"username": target.name.upper()}])

    def done(_answer: Answer | None) -> None:
        target.sign_out_all()
        proof.used()

    mine = grow(person.state, **proof.grown)
    if client.play(
        Move(
            what=f"reset of another by {_way(person, proof)}",
            send=lambda: client.line.post(RESET, person.headers | proof.headers, body),
            right="200",
            after={person: mine, target: after_reset(target)},
            done=done,
        )
    ):
        use_dead_token(client, target)
    return True


def reset_twice_at_once(client: Client, person: Person) -> bool:
    """One code in two requests at once: one of them resets, the other does nothing."""
    if person.totp is None or not person.may_err or person.kind != "totp":
        return False
    proof = find_proof(client, person, "reset")
    if proof is None or len(proof.code) == 8:
        return False
    person.wrong += 1
    headers = person.headers | proof.headers

    def send() -> Answer:
        other = client.pool.submit(client.line.post, RESET, headers)
        return both(client.line.post(RESET, headers), other.result())

    def done(_answer: Answer | None) -> None:
        person.sign_out_all()
        proof.used()

    client.play(
        Move(
            what="own reset, twice at once",
            send=send,
            right="200 once",
            after={person: after_reset(person)},
            loose=frozenset({"refused"}),
            done=done,
        )
    )
    return True


def both(one: Answer, other: Answer) -> Answer:
    """Two answers as one: `200 once` when one of them is the other's refusal."""
    kinds = sorted([one.kind, other.kind])
    kind = " + ".join(kinds)
    if kinds[0] == "200" and kinds[1] in (f"400 {INVALID}", NOT_SIGNED_IN):
        kind = "200 once"
    for unanswered in (one.kind, other.kind):
        if unanswered in ("502", "503", "504", BROKEN):
            kind = unanswered
    return Answer(
        kind=kind, body={}, start=min(one.start, other.start), end=max(one.end, other.end)
    )


def _way(person: Person, proof: Proof) -> str:
    if person.totp:
        return "backup code" if len(proof.code) == 8 else "TOTP"
    return {"email": "mailed code", "bypass": "bypass token"}.get(person.kind, "password")
