"""The protocols that a host implements: `Accounts`, and the optional others.

Every method gets the library's open transaction as `session`. What it writes there is committed or
rolled back together with the reset. It must not end that transaction.
"""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from sqlalchemy.orm import Session

from .records import Account, ActionRequest, Caller, Losses, Reader, SignIn
from .rooms import RoomState
from .store.retained import Expiring


class Accounts(Protocol):
    """The host's users, read only."""

    def get(self, session: Session, account_id: str) -> Account | None:
        """The account of this id; None when there is none."""

    def find(self, session: Session, username: str) -> Account | None:
        """The account of this username, as `name_key` compares names; None when there is none."""

    def check_password(self, session: Session, account_id: str, digest: str) -> bool:
        """True when `digest` is the lower-case SHA-256 hex of the account's password.

        Only called for accounts whose `has_password` is true. A host without passwords
        returns False.
        """


@runtime_checkable
class ChecksPlainPasswords(Protocol):
    """Optional: for hosts whose hashes are of the password itself. Pages prove it, no other way."""

    def check_plain_password(self, session: Session, account_id: str, password: str) -> bool:
        """True when this is the account's password. It is called in the place of `check_password`.

        Only called for accounts whose `has_password` is true. It may raise `errors.Busy`.
        """


@runtime_checkable
class KnowsUsers(Protocol):
    """Optional: lets `flask_login_identify` make an account of the user who is signed in."""

    def account(self, user: Any) -> Account | None:
        """This user of the host's as an account; None for None."""


@runtime_checkable
class FindsByEmail(Protocol):
    """Optional: lets `users.2fa.sendEmailCode` take an e-mail address."""

    def find_by_email(self, session: Session, address: str) -> Account | None:
        """The account that owns this address, as `name_key` compares; None when there is none."""


@runtime_checkable
class HoldsKeys(Protocol):
    """Optional: for key material that the host keeps in tables of its own."""

    def drop_keys(self, session: Session, account_id: str, now: int) -> bool:
        """Delete all of it as part of a reset. True when there was anything to delete."""


@runtime_checkable
class HoldsSessions(Protocol):
    """Optional: for sign-ins that the host keeps in tables of its own."""

    def end_sessions(self, session: Session, account_id: str) -> int:
        """End every sign-in and personal token of the account; returns how many."""


@runtime_checkable
class EndsOtherSessions(Protocol):
    """Optional: ends the older sign-ins of an account that enrols a second factor."""

    def end_other_sessions(self, session: Session, account_id: str, sign_in: str) -> int:
        """End the sign-ins of the account but this one (`Caller.sign_in`); returns how many.

        Personal tokens stay.
        """


@runtime_checkable
class ListsSignIns(Protocol):
    """Optional: lets people look at their sign-ins on the pages, and end one."""

    def list_sign_ins(self, session: Session, account_id: str, now: int) -> Iterable[SignIn]:
        """The live sign-ins and personal tokens of the account, in the order to be shown."""

    def end_sign_in(self, session: Session, account_id: str, sign_in: str) -> bool:
        """End the account's sign-in or token of this handle. False when there is none."""


@runtime_checkable
class RechecksSignIns(Protocol):
    """Optional: reads the sign-in again at the action, as it may have ended since the request."""

    def is_signed_in(self, session: Session, sign_in: str, now: int) -> bool:
        """Whether the sign-in of this handle (`Caller.sign_in`) is live; locks it until the commit.

        A sign-in that has expired by `now` (epoch seconds) is not live. This is called in the
        action's transaction: it sees a reset that has just ended the sign-in, and a later reset
        waits for the lock. Lock by a statement that writes: only that locks on every database.
        """


@runtime_checkable
class HoldsGrants(Protocol):
    """Optional: for sign-ins of machines that have a grant (`Caller.grant`).

    Such a sign-in skips the proof for what its grant is for. Only True means yes.
    """

    def has_grant(self, session: Session, caller: Caller, action: str) -> bool:
        """Whether the caller's grant is for the action of this name."""

    def use_grant(self, session: Session, asked: ActionRequest) -> bool:
        """Count this use of the caller's grant; False where the grant does not hold.

        This is called in the action's transaction, after the sign-in was read again, so a use
        counts if and only if the action is committed or refused. It may raise a Refusal that says
        why the grant does not hold. Count by one conditional statement: uses may run at once.
        """


@runtime_checkable
class RemembersProofs(Protocol):
    """Optional: keeps beside a sign-in that it was proven, for the actions that allow it.

    What is kept ends with the sign-in, and with the password: a new one deletes it.
    """

    def remember_proof(self, session: Session, sign_in: str, mark: str, until: int) -> None:
        """Keep this text of at most 80 characters until then (epoch seconds), and no other."""

    def remembered_proof(self, session: Session, sign_in: str, now: int) -> str:
        """The text that is kept and not over; empty when there is none."""


@runtime_checkable
class ForeseesLosses(Protocol):
    """Optional: tells what a reset would take away of what the host keeps."""

    def losses(self, session: Session, account_id: str, now: int) -> Losses:
        """What a reset of this account at `now` (epoch seconds) would end or make unreadable.

        Rooms in a steady order. Nothing is changed.
        """


@runtime_checkable
class LocksLosses(Protocol):
    """Optional: nothing is added to what a reset takes away between its check and its act."""

    def lock_losses(self, session: Session, account_id: str) -> None:
        """Lock what `losses` tells until the commit, in the order in which a reset drops it.

        Then lock one other holder of each room, so that who was told of one is not left without.
        """


@runtime_checkable
class LocksAccounts(Protocol):
    """Optional: for hosts that lock a row of the account anyway, as in `end_sessions`.

    Resets and their holds wait for each other by it; without it, on PostgreSQL, by a lock of ours.
    """

    def lock_account_row(self, session: Session, account_id: str) -> None:
        """Lock the account until the commit. It may be locked in this transaction already."""


@runtime_checkable
class KnowsRooms(Protocol):
    """Optional: tells people after a reset which of the host's encrypted rooms they can read."""

    def readable_rooms(self, session: Session, account_id: str, now: int) -> Iterable[RoomState]:
        """The encrypted rooms of the account at `now` (epoch seconds), in the order to be shown."""


@runtime_checkable
class ListensForKeys(Protocol):
    """Optional: for hosts whose rooms wait for people to have a key pair."""

    def keys_set(self, session: Session, account_id: str, now: int) -> None:
        """The account has just stored a new key pair."""


@runtime_checkable
class KnowsReaders(Protocol):
    """Optional: keeps the language that an account reads, for pages and mails."""

    def reader(self, session: Session, account_id: str) -> Reader | None:
        """The language and the time zone of the account, as far as they are known."""

    def set_language(self, session: Session, account_id: str, language: str) -> None:
        """Keep this language, which is one of E2ERESET_LANGUAGES."""


@runtime_checkable
class HoldsExpiring(Protocol):
    """Optional: for rows that expire in the host's own tables."""

    def expiring(self) -> Iterable[Expiring]:
        """The rows that `e2ereset purge` deletes there."""
