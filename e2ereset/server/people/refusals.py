"""How what is done to accounts is refused, in the reference's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from e2ereset import Refusal
from e2ereset.errors import E2EResetError
from e2ereset.server.rooms.giving_up import LastOwner

from .administration import DeadFactor, LastAdmin
from .new_passwords import WeakPassword
from .service import BadPerson

METHOD = "insertOrUpdateUser"


class ActionNotAllowed(Refusal):
    """A permission is missing for this action, or for this part of it."""

    code = "error-action-not-allowed"
    reason = "Editing user is not allowed"
    plain = "You may not change this."


class BadName(Refusal):
    """The name has a character that would be dangerous in a page or a path."""

    code = "error-invalid-name"
    reason = "Name contains invalid characters"
    bracketed = typed = False


class FieldRequired(Refusal):
    """A field is blank."""

    code = "error-the-field-is-required"
    reason = "The field is required"
    plain = "A field is empty."


class FieldInvalid(Refusal):
    """No user can have this value."""

    code = "error-input-is-not-a-valid-field"
    reason = "This is not a valid value"
    plain = "This is no valid value."


class FieldUnavailable(Refusal):
    """Somebody else has this name or this address."""

    code = "error-field-unavailable"
    reason = "This is already in use :("
    plain = "This is taken already."


class NameBlocked(Refusal):
    """The name is kept for the server, or for mentions."""

    code = "error-blocked-username"
    reason = "This name is blocked and can't be used!"
    plain = "This name cannot be used."


class IdentityNotSaved(Refusal):
    """The new username is taken, or no user can have it."""

    code = "error-could-not-save-identity"
    reason = "Could not save user identity"


class PersonGone(Refusal):
    """There is no such user; only who may change users learns this."""

    code = "error-user-not-found"
    reason = "User not found"


class AdminRequired(Refusal):
    """Nobody would be an administrator any more."""

    code = "error-admin-required"
    reason = "You need to have at least one admin"
    plain = "There would be no administrator any more: make somebody else one first."


class UserLastOwner(Refusal):
    """Rooms would have no owner or no member any more; `confirmRelinquish` goes on."""

    code = "user-last-owner"
    reason = ""
    plain = "Rooms would have no owner any more, or no members."


class AddressNeeded(Refusal):
    """The user has codes by e-mail, and would have no verified address."""

    code = "error-no-verified-email"
    reason = "A user with codes by e-mail needs a verified address"


class PasswordPolicy(Refusal):
    """The password is too short, or one of the commonest."""

    code = "error-password-policy-not-met"
    reason = "The password does not meet the server's policy"
    plain = "This password is too short, or too easy to guess."


class Undone(E2EResetError):
    """An act was refused when a part of it was done: all of it is rolled back."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


@contextmanager
def undoing() -> Iterator[None]:
    """Have a refusal in the block, which writes, roll the transaction back. Raises Undone."""
    try:
        yield
    except (Refusal, LastAdmin, LastOwner, DeadFactor, BadPerson, WeakPassword) as fault:
        raise Undone(as_refusal(fault)) from fault


def as_refusal(fault: E2EResetError) -> Refusal:
    """The refusal that clients get for this fault."""
    match fault:
        case Refusal():
            return fault
        case LastAdmin():
            return AdminRequired()
        case LastOwner(passed=passed, deleted=deleted):
            return UserLastOwner(shouldChangeOwner=passed, shouldBeRemoved=deleted)
        case DeadFactor():
            return AddressNeeded()
        case WeakPassword():
            return PasswordPolicy(str(fault))
        case _:
            return FieldUnavailable(method=METHOD)
