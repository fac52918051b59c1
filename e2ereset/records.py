"""The frozen records that cross borders between host, services, strategies and web."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unicodedata import normalize

from sqlalchemy.orm import Session

from .addresses import read_address
from .agents import read_agent

BYPASS = "bypass"
OFF = "off"


def iso(epoch: int) -> str:
    """Epoch seconds as ISO 8601 in UTC with milliseconds and `Z`, as on the wire."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def name_key(name: str) -> str:
    """What two spellings of one username or address have in common: NFC, and lower case.

    The one rule for storing and for looking up. It never makes one name of two, as full case
    folding would of `straße` and `strasse`.
    """
    # Composed again: a capital without a composed form may have a small letter that has one.
    return normalize("NFC", normalize("NFC", name).lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user as the library sees one; `id` is opaque, `emails` are the *verified* ones only."""

    id: str
    username: str
    emails: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    active: bool = True
    federated: bool = False
    has_password: bool = False

    def is_named(self, username: str) -> bool:
        """True when `username` names this account, as `name_key` compares names."""
        return name_key(self.username) == name_key(username)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, from where. `bypasses_two_factor`: signed in by a token that skips the proof.

    `address` is kept as an IP address without a port; of any other text nothing is kept. `agent` is
    kept as product and platform ("Firefox on Linux").

    `sign_in` is the host's own handle of the sign-in, such as the digest of its token, for hosts
    that implement `ports.RechecksSignIns`.
    """

    account: Account
    address: str = ""
    agent: str = ""
    bypasses_two_factor: bool = False
    sign_in: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", read_address(self.address))
        object.__setattr__(self, "agent", read_agent(self.agent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The second factor that rode on a request; None where a header was absent or empty."""

    code: str | None = field(default=None, repr=False)
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a proof is for. A mailed code is worth something for this `name` and `target` only.

    `phrase` completes "to ..." in mails: "reset the E2E key of bob".
    """

    name: str
    target: str = ""
    phrase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A caller wants to do an action at `now` (epoch seconds) and brings a proof.

    `fallback`: whether the fallback method may serve those who have no other. `proven`: whether
    a proof is asked for at all.
    """

    caller: Caller
    proof: Proof
    action: Action
    now: int
    fallback: bool = True
    proven: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a strategy gets to see: never a request, never a session cookie, never a status code.

    `now` is in epoch seconds; `session` is the open transaction, which a strategy never ends.
    """

    account: Account
    action: Action
    now: int
    session: Session
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A started or pending challenge; `details` go to the client, so nothing secret in them."""

    generated: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetName:
    """The account a caller named: by id or by username, exactly one of them."""

    user_id: str | None = None
    username: str | None = None

    def names(self, account: Account) -> bool:
        """True when this names `account`."""
        if self.user_id is not None:
            return self.user_id == account.id
        return account.is_named(self.username or "")

    def __str__(self) -> str:
        return self.user_id if self.user_id is not None else (self.username or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A reset that is committed: who asked, whose key went, behind what, when (epoch seconds).

    `replaced`: another key pair came in the place of the one that went.
    """

    caller: Account
    target: Account
    method: str
    at: int
    nothing_to_reset: bool
    replaced: bool = False
    address: str = ""
    agent: str = ""
