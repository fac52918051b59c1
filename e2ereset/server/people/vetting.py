"""What is checked before an account is made or changed, in the reference's words."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy.orm import Session

from .accounts import find_account, find_account_by_email
from .refusals import (
    METHOD,
    ActionNotAllowed,
    BadName,
    FieldInvalid,
    FieldRequired,
    FieldUnavailable,
    IdentityNotSaved,
    NameBlocked,
)
from .service import USERNAME, is_address, known_roles

Allows = Callable[[str], bool]
ADMIN, ASSIGN, ASSIGN_ADMIN = "admin", "assign-roles", "assign-admin-role"
DANGEROUS = re.compile(r"[<>/\\]")
BLOCKED = {"all", "here", "admin", "administrator", "system", "user"}


def not_allowed(words: str, action: str) -> ActionNotAllowed:
    """The refusal of an action, in the reference's form."""
    return ActionNotAllowed(f"{words} is not allowed", method=METHOD, action=action)


def check_name(name: str) -> None:
    """Raise BadName for a name that would be dangerous in a page or a path."""
    if DANGEROUS.search(name) or not name.isprintable():
        raise BadName()


def check_filled(given: Mapping[str, Any], *names: str) -> None:
    """Raise FieldRequired where one of these is given, and blank."""
    for name in names:
        if name in given and not given[name].strip():
            word = name.capitalize()
            raise FieldRequired(f"The field {word} is required", method=METHOD, field=word)


def check_roles_given(session: Session, changed: Collection[str], allows: Allows) -> None:
    """Raise ActionNotAllowed for a role that is unknown, or is not the caller's to give or take."""
    if changed and not allows(ASSIGN):
        raise not_allowed("Assign roles", "Assign_role")
    if not set(known_roles(session)).issuperset(changed):
        raise ActionNotAllowed(
            "The field Roles consist invalid role id", method=METHOD, action="Assign_role"
        )
    if ADMIN in changed and not allows(ASSIGN_ADMIN):
        raise not_allowed("Assigning admin", "Assign_admin")


def check_username(session: Session, username: str, *, of: str | None = None) -> None:
    """Raise FieldInvalid, FieldUnavailable or NameBlocked for a name that the user cannot get.

    `of` is the id of the user, who may have the name already; None for a new one.
    """
    if not USERNAME.fullmatch(username):
        raise FieldInvalid(f"{username} is not a valid username", method=METHOD, input=username)
    found = find_account(session, username)
    if found and found.id != of:
        raise FieldUnavailable(f"{username} is already in use :(", method=METHOD, field=username)
    if not found and username.lower() in BLOCKED:
        raise NameBlocked(f"{username} is blocked and can't be used!", method=METHOD)


def check_address_free(session: Session, address: str, *, of: str | None = None) -> None:
    """Raise FieldInvalid or FieldUnavailable for an address that the user cannot get."""
    if not is_address(address):
        raise FieldInvalid(f"{address} is not a valid email", method=METHOD, input=address)
    found = find_account_by_email(session, address)
    if found and found.id != of:
        raise FieldUnavailable(f"{address} is already in use :(", method=METHOD, field=address)


def check_identity(session: Session, user_id: str, data: Mapping[str, Any]) -> None:
    """Raise the first refusal of a new name, username or address of this user."""
    check_name(data.get("name", ""))
    check_filled(data, "name", "username")
    try:
        if "username" in data:
            check_username(session, data["username"], of=user_id)
    except (FieldInvalid, FieldUnavailable, NameBlocked):
        raise IdentityNotSaved() from None
    if data.get("email"):
        check_address_free(session, data["email"], of=user_id)
