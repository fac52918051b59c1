"""Right codes, and codes that were right once."""

import time
from typing import Any

from bench.soak.client import Client, Move
from bench.soak.http import Answer
from bench.soak.people import Person

from .after import refused
from .words import REQUIRED, RESET

MAIL_SECONDS = 30.0


class Proof:
    """A right code for a person, and what using it up means."""

    burns: str | None = None
    """Another live code that dies when this one is used."""

    def __init__(self, person: Person, code: str, method: str | None, **grown: int) -> None:
        self.headers = {"x-2fa-code": code}
        if method:
            self.headers["x-2fa-method"] = method
        self.code, self.grown, self._person = code, grown, person
        person.proofs += 1

    def used(self) -> None:
        """Keep the code, to try it again."""
        person = self._person
        if person.totp and len(self.code) != 8:
            person.spent_step, person.spent_in = person.last_step, person.token
        elif person.totp or person.kind == "email":
            person.spent += filter(None, [self.code, self.burns])


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
        return client.line.post("login", None, credentials(person))
    return client.line.post(RESET, person.headers)


def wait_for_code(client: Client, person: Person, since: float) -> str | None:
    """The code mailed since then; None when it is late, which only an outage excuses."""
    deadline = time.time() + MAIL_SECONDS
    while time.time() < deadline:
        if code := client.relay.newest_code(person.addresses[0], since):
            return code
        time.sleep(0.02)
    late = {"mail", "worker", "database"}
    # A mail that was being sent by a worker that died waits for the end of its lease.
    if not client.record.outages.during(late, since, time.time(), slack=130):
        client.record.found(f"lost mail: no code for {person.name} within {MAIL_SECONDS:g} s")
    return None


def spent_code(
    client: Client, person: Person, *, sign_in: str | None
) -> tuple[str, str, dict[str, int]] | None:
    """A code that is spent, what it is, and what its use leaves; None without one.

    `sign_in` is the token it comes with. Its owner is warned where that is not the one with which
    the code was right: each client has one address.
    """
    # Of this step for sure when the request comes in: the window is one step wide on each side.
    if person.totp and person.spent_step >= int(time.time()) // 30:
        code = person.totp.generate_otp(person.spent_step)
        elsewhere = sign_in is None or sign_in != person.spent_in
        return "spent code", code, {"others": len(person.addresses)} if elsewhere else {}
    if person.spent:
        kind = "backup" if person.totp else "mailed"
        return f"spent {kind} code", client.random.choice(person.spent), {}
    return None


def credentials(person: Person, code: str | None = None) -> dict[str, Any]:
    form = {"user": person.name, "password": person.password}
    return form | ({"code": code} if code else {})
