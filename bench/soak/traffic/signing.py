"""Signing in and out."""

import secrets

from bench.soak.client import Client, Move
from bench.soak.http import Answer
from bench.soak.people import Person
from e2ereset.server.sessions.tokens import token_digest

from .after import grow, refused
from .proofs import credentials, find_proof, spent_code
from .words import INVALID, NOT_SIGNED_IN, RESET


def sign_in(client: Client, person: Person) -> bool:
    """Sign in, with the second factor where the person has one."""
    if person.kind == "bypass":
        return False  # its first token is the one that makes it one
    proof = None
    if person.totp or person.kind == "email":
        proof = find_proof(client, person, "login")
        if proof is None:
            return False
    grown, code = (proof.grown, proof.code) if proof else ({}, None)

    def done(answer: Answer | None) -> None:
        if answer:
            person.sign_in(answer.body["data"]["authToken"])
        if proof:
            proof.used()
        if not answer:
            person.spent_in = None  # the sign-in whose token did not arrive

    client.play(
        Move(
            what="login",
            send=lambda: client.line.post("login", None, credentials(person, code)),
            right="200",
            after={person: grow(person.state, tokens=1, sign_ins=1, **grown)},
            done=done,
        )
    )
    return True


def sign_out(client: Client, person: Person) -> bool:
    """End the token in use; it is dead at once."""
    if person.kind == "bypass":
        return False
    token = token_digest(person.token or "")

    def done(_answer: Answer | None) -> None:
        person.live.discard(token)
        person.dead.add(token)

    if client.play(
        Move(
            what="logout",
            send=lambda: client.line.post("logout", person.headers),
            right="200",
            after={person: grow(person.state, tokens=-1)},
            done=done,
        )
    ):
        use_dead_token(client, person)
    return True


def sign_in_with_spent_code(client: Client, person: Person) -> bool:
    """Sign in with a code that has just reset a key, say."""
    spent = spent_code(client, person, sign_in=None) if person.may_err else None
    if spent is None:
        return False
    words, code, grown = spent
    person.wrong += 1
    person.proofs += 1
    client.play(
        Move(
            what=f"login, {words}",
            send=lambda: client.line.post("login", None, credentials(person, code)),
            right=f"401 {INVALID}",
            after={person: refused(person, **grown)},
        )
    )
    return True


def use_dead_token(client: Client, person: Person) -> bool:
    """Use the newest token of a person of whom none is alive."""
    if client.random.random() < 0.5:
        look(client, person, "me", NOT_SIGNED_IN)
    else:
        client.play(
            Move(
                what="reset by a dead token",
                send=lambda: client.line.post(RESET, person.headers),
                right=NOT_SIGNED_IN,
                after={person: person.state},
            )
        )
    return True


def look(client: Client, person: Person, route: str, right: str) -> Answer | None:
    """GET something that changes nothing."""
    return client.play(
        Move(
            what=f"{route}{' by a dead token' if right != '200' else ''}",
            send=lambda: client.line.get(route, person.headers),
            right=right,
            after={person: person.state},
        )
    )


def guess_password(client: Client, person: Person) -> bool:
    """Sign in with a wrong password, or as nobody."""
    if not person.may_err:
        return False
    person.wrong += 1
    name = client.random.choice([person.name, "nobody-" + secrets.token_hex(4)])
    client.play(
        Move(
            what="login, wrong password",
            send=lambda: client.line.post("login", None, {"user": name, "password": "wrong"}),
            right="401 Unauthorized",
            after={person: person.state},
        )
    )
    return True
