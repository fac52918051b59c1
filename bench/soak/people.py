"""The people that the traffic is about: made in bulk, each driven by one client at a time."""

import secrets
import time
from dataclasses import dataclass, field, replace

import pyotp
from flask import Flask

from e2ereset import get_e2ereset
from e2ereset.permissions.models import Role
from e2ereset.runtime import Runtime
from e2ereset.server.people.models import Email
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.sessions.tokens import token_digest
from tests.kit.states import account_of, add_user, enrol_totp

from .states import State

ROOMS = ("room1", "room2")
STEP_SECONDS = 30
KINDS = {
    "totp": 40,
    "email": 24,
    "plain": 10,
    "admin": 3,
    "chief": 4,
    "bypass": 1,
    "owner": 1,
    "federated": 1,
}
"""How many of each kind one client drives, for each ten minutes. `chief` is an admin with TOTP,
`bypass` one whose token needs no second factor."""
ROLES = {"admin": "admin", "chief": "admin", "bypass": "admin", "owner": "soak-owner"}
SENDS, SEND_SECONDS, ASKS = 5, 32, 2
SPARE = 3
"""Wrong tries of a method that one person makes at most: the budget of five is never near."""


@dataclass(kw_only=True, eq=False)
class Person:
    """A user, what the client knows of it, and the state that the database must have."""

    id: str
    name: str
    kind: str
    addresses: tuple[str, ...]
    password: str = field(repr=False)
    totp: pyotp.TOTP | None = field(default=None, repr=False)
    backup_codes: list[str] = field(default_factory=list, repr=False)
    state: State = field(default_factory=State)
    token: str | None = field(default=None, repr=False)
    live: set[str] = field(default_factory=set, repr=False)
    dead: set[str] = field(default_factory=set, repr=False)
    spent: list[str] = field(default_factory=list, repr=False)
    last_step: int = 0
    spent_step: int = 0
    spent_in: str | None = field(default=None, repr=False)
    proofs: int = 0
    wrong: int = 0
    sends: int = 0
    asks: int = 0
    sent_at: float = 0.0
    pending_code: str | None = field(default=None, repr=False)
    quiet: bool = False
    retired: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """What signs its requests."""
        return {"X-User-Id": self.id, "X-Auth-Token": self.token or "none"}

    @property
    def digest(self) -> str:
        """The code of the password fallback."""
        return PasswordHasher.digest(self.password)

    @property
    def may_prove(self) -> bool:
        """Whether the budget of tries has room for a right one for sure."""
        return self.wrong <= SPARE + 1

    @property
    def may_err(self) -> bool:
        """Whether a wrong try leaves room for right ones."""
        return self.wrong < SPARE

    @property
    def may_send(self) -> bool:
        """Whether the budgets of mailed codes have room."""
        return not self.quiet and time.time() - self.sent_at > SEND_SECONDS and self.sends < SENDS

    def step(self) -> int | None:
        """A step whose code is good for half a minute at least; None when they are spent."""
        present = int(time.time()) // STEP_SECONDS
        free = max(present, self.last_step + 1)
        return free if free <= present + 1 else None

    def take_code(self, step: int) -> str:
        """The code of this step, which is not used again."""
        assert self.totp
        self.last_step = step
        return self.totp.generate_otp(step)

    def wrong_code(self) -> str:
        """Six digits that are the code of no step about now."""
        assert self.totp
        present = int(time.time()) // STEP_SECONDS
        right = {self.totp.generate_otp(step) for step in range(present - 3, present + 4)}
        return next(code for code in (f"{n:06d}" for n in range(20)) if code not in right)

    def sign_in(self, token: str) -> None:
        """Keep a token that was given out."""
        self.token = token
        self.live.add(token_digest(token))

    def sign_out_all(self) -> None:
        """All tokens have died; the client keeps the last one, to try it."""
        self.dead |= self.live
        self.live = set()


def make_people(app: Flask, clients: int, share: float) -> list[list[Person]]:
    """For each client its people: with keys, room keys and a token."""
    runtime, password = get_e2ereset(app), secrets.token_urlsafe(12)
    hashed = PasswordHasher(10).hash(password)
    with runtime.transactions.begin() as session:
        session.add(Role(name=ROLES["owner"], rank=200))
    kinds = [kind for kind, n in KINDS.items() for _ in range(max(1, round(n * share)))]
    return [
        [
            _equipped(runtime, _added(runtime, f"{kind}{client}-{n}", kind, password, hashed))
            for n, kind in enumerate(kinds)
        ]
        for client in range(clients)
    ]


def _added(runtime: Runtime, name: str, kind: str, password: str, hashed: str) -> Person:
    addresses = tuple(f"{name}.{n}@example.org" for n in range(1 + len(name) % 2))
    facts = {"kind": "federated" if kind == "federated" else "user", "password_hash": hashed}
    facts |= {"emails": addresses, "roles": [ROLES.get(kind, "user")]}
    user = add_user(runtime, name, rooms=ROOMS, bypass=kind == "bypass", **facts)
    # An address that is not verified must never get a mail.
    other = f"{name}.unverified@example.org"
    with runtime.transactions.begin() as session:
        session.add(Email(user_id=user.id, address=other, address_key=other, verified=False))
    person = Person(id=user.id, name=name, kind=kind, addresses=addresses, password=password)
    for token in user.tokens:  # the one that is used is the personal one
        person.sign_in(token)
    person.state = State(pair="PUB", room_keys=len(ROOMS), tokens=2)
    return person


def _equipped(runtime: Runtime, person: Person) -> Person:
    mails = len(person.addresses)
    if person.kind in ("totp", "chief"):
        person.totp, codes = enrol_totp(runtime, person)
        person.backup_codes = list(codes)
        person.state = replace(person.state, backup_codes=len(codes), others=mails)
    elif person.kind == "email":
        runtime.factors.set_email(account_of(runtime, person), True)
        person.state = replace(person.state, others=mails)
    return person
