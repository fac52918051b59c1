"""The frozen records that the host, the services, the strategies and the routes pass on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import floor
from typing import Any
from unicodedata import normalize

from sqlalchemy.orm import Session

from .addresses import read_address
from .agents import read_agent
from .errors import HostError

BYPASS = "bypass"
GRANT = "grant"
REMEMBERED = "remembered"
OFF = "off"
IN_PLACE_OF = {"passkey": "email"}
"""Methods that clients of codes alone know by another name, whose code they ask for instead."""
LONGEST_ID = 255
LONGEST_ADDRESS = 320
WORDS = {str: "a text (str)", bool: "True or False", int: "a whole number (int)"}


def iso(epoch: int) -> str:
    """Epoch seconds as ISO 8601 in UTC with milliseconds and `Z`, as on the wire."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def epoch_of(text: str) -> int:
    """An ISO 8601 time, in UTC where it has no offset, as epoch seconds, rounded down.

    Raises ValueError for anything else.
    """
    moment = datetime.fromisoformat(text)
    return floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def iso_if_known(epoch: int | None) -> str | None:
    """The same, where None stays None."""
    return None if epoch is None else iso(epoch)


def name_key(name: str) -> str:
    """The key by which usernames and addresses are compared: NFC, and lower case.

    Names are stored and looked up by it. Two different names never have one key, as `straße` and
    `strasse` would have with full case folding.
    """
    # NFC again, as a small letter may have a composed form where its capital has none.
    return normalize("NFC", normalize("NFC", name).lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user as the library sees one; `id` is opaque, `emails` are the *verified* ones only.

    `emails` and `roles` may be given as any list of texts; None and blank texts in them are
    ignored. `password_by_page`: what is stored is a hash of the password itself, not of its SHA-256
    hex, so it is a proof on pages only. Raises HostError for a field of another type.
    """

    id: str
    username: str
    emails: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    active: bool = True
    federated: bool = False
    has_password: bool = False
    password_by_page: bool = False

    def __post_init__(self) -> None:
        require(self, str, "id", "username")
        require(self, bool, "active", "federated", "has_password", "password_by_page")
        if not 0 < len(self.id) <= LONGEST_ID:
            raise HostError(f"Account.id must have from 1 to {LONGEST_ID} characters.")
        emails = (text for text in _texts(self, "emails") if len(text) <= LONGEST_ADDRESS)
        object.__setattr__(self, "emails", tuple(emails))
        object.__setattr__(self, "roles", tuple(_texts(self, "roles")))

    def is_named(self, username: str) -> bool:
        """True when `username` names this account, as `name_key` compares names."""
        return name_key(self.username) == name_key(username)


UNKNOWN_AGE = 0
"""`Caller.signed_in_at` of a sign-in that may be of any age, such as one by "remember me"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The signed-in caller of a request.

    `bypasses_two_factor`: signed in by a token that skips the proof. `address` is reduced to an IP
    address without a port, or "" for any other text. `agent` is reduced to product and platform
    ("Firefox on Linux"). `sign_in` is the host's own handle of the sign-in, such as the digest of
    its token, for hosts that implement `ports.RechecksSignIns`. `signed_in_at` is when it began, in
    epoch seconds, None where the host does not tell: a second factor that its owner enrols later is
    no proof for it. 0: it may be of any age, so the password is no proof beside such a factor,
    either. `grant` names the grant of a machine's sign-in, for hosts that implement
    `ports.HoldsGrants`. Raises HostError for a field of a wrong type.
    """

    account: Account
    address: str = ""
    agent: str = ""
    bypasses_two_factor: bool = False
    sign_in: str = field(default="", repr=False)
    signed_in_at: int | None = None
    grant: str = ""

    def __post_init__(self) -> None:
        for name in ("agent", "sign_in", "grant"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, "")
        require(self, str, "agent", "sign_in", "grant")
        require(self, bool, "bypasses_two_factor")
        if self.signed_in_at is not None:
            require(self, int, "signed_in_at")
        if not isinstance(self.account, Account | None):
            raise HostError(f"Caller.account must be an Account, not {kind_of(self.account)}.")
        object.__setattr__(self, "address", read_address(self.address))
        object.__setattr__(self, "agent", read_agent(self.agent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The second factor of a request; None for a header that is absent or empty.

    `typed` is what a person typed into the page of the proof, as it stands. It is empty before, and
    None where the request is no page's. `shown` is the action that the page told.
    """

    code: str | None = field(default=None, repr=False)
    method: str | None = None
    typed: str | None = field(default=None, repr=False)
    shown: "Action | None" = None

    def is_for(self, action: "Action") -> bool:
        """Whether whoever gave it was told this action and its target, or none."""
        shown = self.shown or action
        return (shown.name, shown.target) == (action.name, action.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """The action that a proof is for. A mailed code passes for this `name` and `target` only.

    `phrase` completes "to ..." in mails: "reset the E2E key of bob". `plan` is a digest of what the
    action would do, where its request says what it expects: a passkey signs that, too.
    """

    name: str
    target: str = ""
    phrase: str = ""
    plan: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """A caller's request to do an action at `now` (epoch seconds), with a proof.

    `fallback`: whether accounts without another method may use the fallback method. `proven`:
    whether a proof is needed at all. `enrols`: it adds a factor, so an account that has none needs
    no proof. `itself`: it changes the factor that proves it, so nothing spares the proof, and the
    factor counts however young it is. `remembers`: a proof that this sign-in gave a while ago, from
    the same address and program, is enough, and its own is remembered. `new_sign_in` is the handle
    of the sign-in that the request makes, if it is a sign-in. `memo` is that of its `Attempt`s.
    """

    caller: Caller
    proof: Proof
    action: Action
    now: int
    fallback: bool = True
    proven: bool = True
    enrols: bool = False
    itself: bool = False
    remembers: bool = False
    new_sign_in: str = field(default="", repr=False)
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """All that a strategy sees: never a request, never a session cookie, never a status code.

    `now` is in epoch seconds; `session` is the open transaction, which a strategy never ends.
    `sign_in` is the host's handle of the sign-in that the caller has, or is about to make, and
    `signed_in_at` when it began; None if a factor counts however young it is. `typed` is that of
    the `Proof`. A strategy may keep in `memo` what `usable` has read, for its later calls in the
    same request.
    """

    account: Account
    action: Action
    now: int
    session: Session
    address: str = ""
    agent: str = ""
    sign_in: str = field(default="", repr=False)
    signed_in_at: int | None = None
    typed: str | None = field(default=None, repr=False)
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """The open transaction of an action, after its proof was right.

    `method` proved it: empty if the account has none and needs none, `bypass` for a token that
    skips the proof, `grant:NAME` for one that has a grant for this, `remembered` if the sign-in was
    proven a while ago, `off` if the workspace does not check. `caller` was read again in this
    transaction, so its roles are those of now.
    """

    session: Session
    method: str
    caller: Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A started or pending challenge. The client gets `details`, so they hold no secret."""

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
class Reader:
    """How somebody reads pages and mails: a language such as `de`, and an IANA time zone.

    Empty: unknown.
    """

    language: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A live sign-in, or with a `name` a personal token, as its owner is shown it.

    `sign_in` is its handle, as `Caller.sign_in` has it. Times are in epoch seconds; `used_at` is
    None where the last use is not known. `address` and `agent` say from where; empty: not known.
    """

    sign_in: str = field(repr=False)
    began_at: int
    used_at: int | None = None
    address: str = ""
    agent: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRoom:
    """An encrypted room whose key a reset takes away. `holders`: how many others have the key.

    `seen_at`, in epoch seconds, is when one of them was last seen; None: not known.
    """

    id: str
    name: str
    holders: int
    seen_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What a reset takes away of what a host keeps: rooms, live sign-ins and personal tokens."""

    rooms: tuple[LostRoom, ...] = ()
    sign_ins: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A committed reset: who asked, whose key, proved by which method, when (epoch seconds).

    `replaced`: another key pair was stored in place of the deleted one.
    """

    caller: Account
    target: Account
    method: str
    at: int
    nothing_to_reset: bool
    replaced: bool = False
    address: str = ""
    agent: str = ""


def kind_of(value: object) -> str:
    """How an error names this value: by its type, as its text may be a secret."""
    return "None" if value is None else f"an object of {type(value).__qualname__}"


def require(record: object, kind: type, *names: str) -> None:
    """Raise HostError unless these fields of the record are of this kind."""
    for name in names:
        value = getattr(record, name)
        if not isinstance(value, kind):
            where = f"{type(record).__name__}.{name}"
            raise HostError(f"{where} must be {WORDS[kind]}, not {kind_of(value)}.")


def _texts(record: object, name: str) -> list[str]:
    given = getattr(record, name)
    where = f"{type(record).__name__}.{name}"
    if not isinstance(given, Iterable | None) or isinstance(given, str | bytes | Mapping):
        raise HostError(f"{where} must be a list of texts, not {kind_of(given)}.")
    found = [text for text in given or () if text is not None]
    if any(not isinstance(text, str) for text in found):
        raise HostError(f"{where} must hold texts (str) only.")
    return [text for text in found if text.strip()]
