"""The mix: which moves a client makes, and what each leaves behind."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from e2ereset.server.tokens import token_digest

from .client import Client, Move
from .http import Answer
from .outages import BROKEN
from .people import ROOMS, Person
from .states import State

RESET = "users.resetE2EKey"
NOT_SIGNED_IN = "401 You must be logged in to do this."
INVALID, REQUIRED, NOT_ALLOWED = "totp-invalid", "totp-required", "error-not-allowed"
MAIL_SECONDS = 30.0
HAND_OUT = (
    "UPDATE subscriptions SET e2e_key = 'K' WHERE user_id = :person",
    "DELETE FROM waiting_for_keys WHERE user_id = :person",
)

Play = Callable[[Client, Person], bool]


def after_reset(person: Person) -> State:
    """What a reset of this person's key leaves."""
    state = person.state
    return replace(
        state,
        pair=None,
        room_keys=0,
        waits=len(ROOMS),
        tokens=0,
        resets=state.resets + 1,
        empty_resets=state.empty_resets + (state.pair is None and state.room_keys == 0),
        notices=state.notices + len(person.addresses),
    )


def refused(person: Person, **grown: int) -> State:
    """What a refusal leaves: its audit row, and what else has grown."""
    return grow(person.state, refused=1, **grown)


def grow(state: State, **by: int) -> State:
    """The state with these counts grown."""
    return replace(state, **{name: getattr(state, name) + n for name, n in by.items()})


# Proofs -------------------------------------------------------------------------------------------


class Proof:
    """A right code for a person, and what using it up means."""

    def __init__(self, person: Person, code: str, method: str | None, **grown: int) -> None:
        self.headers = {"x-2fa-code": code}
        if method:
            self.headers["x-2fa-method"] = method
        self.code, self.grown, self._person = code, grown, person
        person.proofs += 1

    def used(self) -> None:
        """Keep the code, to try it again."""
        if len(self.code) == 8 and self._person.totp:
            self._person.spent.append(self.code)
        elif self._person.totp:
            self._person.spent_step = self._person.last_step


def find_proof(client: Client, person: Person, action: str) -> Proof | None:
    """A right code of the person's own kind; None where there is none just now."""
    if not person.may_prove:
        return None
    if person.kind == "email":
        return _mailed(client, person, action)
    if person.kind == "bypass":
        return Proof(person, "", None)
    if person.totp is None:
        return Proof(person, person.digest, "password")
    if len(person.backup_codes) > 2 and client.random.random() < 0.15:
        code = person.backup_codes.pop()
        return Proof(person, code, "totp", backup_codes=-1, others=len(person.addresses))
    step = person.step()
    if step is None:
        return None
    named = "totp" if client.random.random() < 0.7 else None
    return Proof(person, person.take_code(step), named)


def _mailed(client: Client, person: Person, action: str) -> Proof | None:
    """Ask for a code by mail, and wait for it."""
    if not person.may_send or (action == "reset" and person.pending_code):
        return None
    person.sends, person.sent_at = person.sends + 1, time.time()
    status = "401" if action == "login" else "400"
    answer = client.play(
        Move(
            what=f"{action}, no code",
            send=lambda: _ask(client, person, action),
            right=f"{status} {REQUIRED}",
            after={person: refused(person, codes=len(person.addresses))},
            whole=False,
        )
    )
    code = answer and wait_for_code(client, person, answer.start)
    if not code:
        person.quiet = True
        return None
    return Proof(person, code, "email" if action == "reset" else None)


def _ask(client: Client, person: Person, action: str) -> Answer:
    if action == "login":
        return client.line.post("login", None, _credentials(person))
    return client.line.post(RESET, person.headers)


def wait_for_code(client: Client, person: Person, since: float) -> str | None:
    """The code mailed since then; None when it is late, which only an outage excuses."""
    deadline = time.time() + MAIL_SECONDS
    while time.time() < deadline:
        arrived = [a for a in client.relay.to(person.addresses[0]) if a.at >= since and a.code]
        if arrived:
            return arrived[-1].code
        time.sleep(0.02)
    late = {"mail", "worker", "database"}
    # A mail that was being sent by a worker that died waits for the end of its lease.
    if not client.record.outages.during(late, since, time.time(), slack=130):
        client.record.found(f"lost mail: no code for {person.name} within {MAIL_SECONDS:g} s")
    return None


# Signing in and out -------------------------------------------------------------------------------


def _credentials(person: Person, code: str | None = None) -> dict[str, Any]:
    form = {"user": person.name, "password": person.password}
    return form | ({"code": code} if code else {})


def sign_in(client: Client, person: Person) -> bool:
    """Sign in, with the second factor where the person has one."""
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

    client.play(
        Move(
            what="login",
            send=lambda: client.line.post("login", None, _credentials(person, code)),
            right="200",
            after={person: grow(person.state, tokens=1, sign_ins=1, **grown)},
            done=done,
        )
    )
    return True


def sign_out(client: Client, person: Person) -> bool:
    """End the token in use; it is dead at once."""
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


def use_dead_token(client: Client, person: Person) -> bool:
    """Use the newest token of a person of whom none is alive."""
    if client.random.random() < 0.5:
        _look(client, person, "me", NOT_SIGNED_IN)
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


# Keys ---------------------------------------------------------------------------------------------


def set_key(client: Client, person: Person) -> bool:
    """Store a key pair, with and without `force`."""
    force, state = client.random.random() < 0.5, person.state
    pair = secrets.token_hex(8)
    taken = state.pair is not None and not force
    after = replace(state, pair=pair, waits=state.waits if state.room_keys else len(ROOMS))
    body = {"public_key": pair, "private_key": "P", "force": force}
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
    answer = _look(client, person, "e2e.fetchMyKeys", "200")
    if answer and answer.body.get("public_key") != person.state.pair:
        client.record.found(f"wrong answer: {person.name} fetched a key that is not there")
    return True


def _look(client: Client, person: Person, route: str, right: str) -> Answer | None:
    return client.play(
        Move(
            what=f"{route}{' by a dead token' if right != '200' else ''}",
            send=lambda: client.line.get(route, person.headers),
            right=right,
            after={person: person.state},
        )
    )


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


# Resets -------------------------------------------------------------------------------------------


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
        _refusal(client, person, proof, f"400 {NOT_ALLOWED}", None, "federated reset")
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
            loose=frozenset({"refused", "others"}),
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


# Refusals -----------------------------------------------------------------------------------------


def _refusal(
    client: Client, person: Person, proof: Proof, right: str, body: Any, what: str
) -> None:
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
    _refusal(client, person, proof, right, body, words)
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
    if not person.may_err or person.kind in ("email", "bypass", "federated"):
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
    if person.totp is None:
        return "reset, wrong password", secrets.token_hex(32), {}
    if person.spent and client.random.random() < 0.5:
        return "reset, spent backup code", client.random.choice(person.spent), {}
    # Of this step for sure when the request comes in: the window is one step wide on each side.
    if person.spent_step >= int(time.time()) // 30:
        code = person.totp.generate_otp(person.spent_step)
        return "reset, spent code", code, {"others": len(person.addresses)}
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
        if not _spend(client, person, code, INVALID, mails):
            return True
    step = person.step()
    if step:
        _spend(client, person, person.take_code(step), "totp-max-attempts", 0)
    return True


def _spend(client: Client, person: Person, code: str, right: str, mails: int) -> bool:
    answer = client.play(
        Move(
            what="reset, budget spent" if right != INVALID else "reset, wrong code",
            send=lambda: client.line.post(RESET, person.headers | {"x-2fa-code": code}),
            right=f"400 {right}",
            after={person: refused(person, others=mails)},
        )
    )
    return answer is not None


# Mailed codes again -------------------------------------------------------------------------------


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
        _refusal(client, person, stale, f"400 {INVALID}", None, "reset, replaced mailed code")
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


# The mix ------------------------------------------------------------------------------------------

SIGNED_OUT: dict[Play, int] = {sign_in: 20, use_dead_token: 2, guess_password: 1, ask_for_nobody: 1}
SIGNED_IN: dict[Play, int] = {
    reset_own: 24,
    reset_other: 60,
    reset_twice_at_once: 4,
    set_key: 14,
    fetch_key: 10,
    hand_out: 8,
    give_wrong_code: 8,
    give_no_code: 4,
    name_forbidden: 8,
    ask_again: 60,
    ask_for_nobody: 2,
    sign_in: 4,
    sign_out: 3,
    guess_password: 2,
    use_up_budget: 1,
}


def play_one(client: Client) -> None:
    """One random move of a random person."""
    client.settle_due()
    ready = client.ready()
    if not ready:
        time.sleep(0.2)
        return
    person = client.random.choice(ready)
    alive = bool(person.token) and token_digest(person.token or "") in person.live
    mix = SIGNED_IN if alive else SIGNED_OUT
    play = client.random.choices(list(mix), weights=list(mix.values()))[0]
    play(client, person)
