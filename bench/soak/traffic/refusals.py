"""Resets that are refused."""

import secrets
from typing import Any

from bench.soak.client import Client, Move
from bench.soak.people import Person

from .after import refused
from .proofs import Proof, find_proof, spent_code
from .words import INVALID, NOT_ALLOWED, REQUIRED, RESET


def refusal(
    client: Client, person: Person, proof: Proof, *, right: str, what: str, body: Any = None
) -> None:
    """Ask for a reset that is refused behind this proof, which may be a right one."""
    client.play(
        Move(
            what=what,
            send=lambda: client.line.post(RESET, person.headers | proof.headers, body),
            right=right,
            after={person: refused(person, **proof.grown)},
            done=lambda _answer: proof.used(),
        )
    )


def name_forbidden(client: Client, person: Person) -> bool:
    """Name a target that one may not reset, or that is not there, with a right proof."""
    if person.kind in ("email", "federated", "owner"):
        return False
    words, body, right = _out_of_bounds(client, person)
    proof = find_proof(client, person, "reset") if body else None
    if proof is None:
        return False
    refusal(client, person, proof, right=right, what=words, body=body)
    return True


def _out_of_bounds(client: Client, person: Person) -> tuple[str, Any, str]:
    not_allowed = f"400 {NOT_ALLOWED}"
    if person.kind not in ("admin", "chief", "bypass"):
        somebody = client.random.choice([client.people[0].name, "nobody"])
        somebody = somebody if somebody != person.name else "nobody"
        return "reset without the permission", {"username": somebody}, not_allowed
    kind = client.random.choice(["nobody", "owner", "federated"])
    if kind == "nobody":
        return "reset of nobody", {"userId": "nobody"}, "400 error-invalid-user"
    target = next(p for p in client.people if p.kind == kind)
    words = "reset of one who outranks" if kind == "owner" else "federated reset"
    return words, {"username": target.name}, not_allowed


def give_wrong_code(client: Client, person: Person) -> bool:
    """A wrong code, or one that was used before."""
    if not person.may_err or person.kind in ("bypass", "federated"):
        return False
    if person.kind == "email" and not person.spent:
        return False
    what, code, grown = _bad_code(client, person)
    person.wrong += 1
    person.proofs += 1
    client.play(
        Move(
            what=what,
            send=lambda: client.line.post(RESET, person.headers | {"x-2fa-code": code}),
            right=f"400 {INVALID}",
            after={person: refused(person, **grown)},
        )
    )
    return True


def _bad_code(client: Client, person: Person) -> tuple[str, str, dict[str, int]]:
    if spent := spent_code(client, person, sign_in=person.token):
        words, code, grown = spent
        return f"reset, {words}", code, grown
    if person.totp is None:
        return "reset, wrong password", secrets.token_hex(32), {}
    return "reset, wrong code", person.wrong_code(), {}


def give_no_code(client: Client, person: Person) -> bool:
    """Ask without a code; nothing is mailed, as the method mails none."""
    if not person.may_prove or person.kind in ("email", "bypass"):
        return False
    client.play(
        Move(
            what="reset, no code",
            send=lambda: client.line.post(RESET, person.headers),
            right=f"400 {REQUIRED}",
            after={person: refused(person)},
        )
    )
    return True


def use_up_budget(client: Client, person: Person) -> bool:
    """Five wrong codes, then a right one, at which nobody looks any more."""
    if person.kind != "totp" or person.wrong or person.proofs:
        return False
    person.wrong = 100
    for number in range(5):
        mails = len(person.addresses) if number == 4 else 0
        code = person.wrong_code()
        if not _spend(client, person, code, right=INVALID, mails=mails):
            return True
    step = person.step()
    if step:
        _spend(client, person, person.take_code(step), right="totp-max-attempts", mails=0)
    return True


def _spend(client: Client, person: Person, code: str, *, right: str, mails: int) -> bool:
    answer = client.play(
        Move(
            what="reset, budget spent" if right != INVALID else "reset, wrong code",
            send=lambda: client.line.post(RESET, person.headers | {"x-2fa-code": code}),
            right=f"400 {right}",
            after={person: refused(person, others=mails)},
        )
    )
    return answer is not None
