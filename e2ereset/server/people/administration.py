"""Administration of accounts: password, roles, addresses, on and off, deletion.

What gets a `Change` is for `OnAccount.run`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from e2ereset.errors import E2EResetError
from e2ereset.factors.models import EmailFactor
from e2ereset.factors.statements import DROP_CODES, RENEW_EMAIL
from e2ereset.ports import EndsOtherSessions
from e2ereset.records import name_key
from e2ereset.server.tables import Base
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table
from e2ereset.upkeep.forgetting import forget

from . import profiles
from .acts import Acting, Change
from .models import Email, User, UserRole
from .relinquish import relinquish_rooms
from .service import BadPerson, NewPerson, add_person, addresses_of, check_address, check_roles

ADMIN, DEFAULT_ROLES = "admin", ["user"]
CHANGE_ROLES = "change-roles"
USERS, ROLES, EMAILS = table(User), table(UserRole), table(Email)
OWN: Any = bindparam("owner")
WANTED: Any = bindparam("wanted")
SET_PASSWORD = update(USERS).where(USERS.c.id == OWN).values(password_hash=bindparam("new_hash"))
RENAME = (
    update(USERS)
    .where(USERS.c.id == OWN)
    .values(username=bindparam("username"), username_key=bindparam("username_key"))
)
SET_PROFILE = (
    update(USERS)
    .where(USERS.c.id == OWN)
    .values(name=bindparam("new_name"), profile=bindparam("new_profile"))
)
SET_ACTIVE = update(USERS).where(USERS.c.id == OWN, USERS.c.active != WANTED).values(active=WANTED)
ADD_ROLE = Statement(lambda insert: insert(ROLES).on_conflict_do_nothing())
DROP_ROLE = delete(ROLES).where(ROLES.c.user_id == OWN, ROLES.c.role == bindparam("held"))
ADMINS = select(ROLES.c.user_id).where(ROLES.c.role == ADMIN)
LOCK_ADMINS = ADMINS.order_by(ROLES.c.user_id).with_for_update()
COUNT_ADMINS = select(func.count()).where(USERS.c.id.in_(ADMINS), USERS.c.active)
# Who refers to a row before the row. Tables without foreign keys come last, as who adds to one may
# hold a row of another meanwhile: who is made to wait for a room key holds the membership.
OWNED = sorted(
    (rows for rows in reversed(Base.metadata.sorted_tables) if "user_id" in rows.c),
    key=lambda rows: not rows.foreign_keys,
)
DROP_ROWS = [delete(rows).where(rows.c.user_id == OWN) for rows in OWNED]
DROP_USER = delete(USERS).where(USERS.c.id == OWN)
THIS = (EMAILS.c.user_id == OWN, EMAILS.c.address_key == bindparam("one"))
DROP_ADDRESS = delete(EMAILS).where(*THIS)
VERIFY_ADDRESS = update(EMAILS).where(*THIS, EMAILS.c.verified != WANTED).values(verified=WANTED)


class LastAdmin(E2EResetError):
    """Nobody would be an administrator any more."""


class DeadFactor(E2EResetError):
    """The user has codes by e-mail and would have no verified address."""


def add_user(session: Session, acting: Acting, new: NewPerson) -> str:
    """Make a user, in an open transaction; the id. Raises BadPerson."""
    user_id = add_person(session, new, acting.now, acting.runtime.entropy).id
    acting.note(session, "add-user", user_id)
    if [*new.roles] != DEFAULT_ROLES:
        _note_roles(acting, session, user_id, [f"added {role}" for role in new.roles])
    return user_id


def set_password(change: Change, new_hash: str) -> None:
    """Set a password by its hash, and end all sign-ins and personal tokens."""
    change.end_sign_ins()
    change.execute(SET_PASSWORD, new_hash=new_hash)
    change.done("set-password", "A new password was set, and all your sign-ins were ended")


def change_own_password(change: Change, new_hash: str, sign_in: str) -> None:
    """Set one's own password by its hash, and end all sign-ins but this one.

    Personal tokens stay, as in the reference; a client need not ask for another password any more.
    """
    accounts = cast(EndsOtherSessions, change.runtime.accounts)
    accounts.end_other_sessions(change.session, change.account.id, sign_in)
    change.execute(SET_PASSWORD, new_hash=new_hash)
    change_profile(change, {"requirePasswordChange": False})
    change.done("set-password", "Your password was changed, and all other sign-ins were ended")


def rename(change: Change, username: str) -> None:
    """Give another username. Raises BadPerson where somebody else has it by now."""
    try:
        change.execute(RENAME, username=username, username_key=name_key(username))
    except IntegrityError:
        raise BadPerson(f"The username {username} is taken.") from None
    words = f"Your username was changed from {change.account.username} to {username}"
    change.done("rename-user", words)


def change_profile(change: Change, data: Mapping[str, Any]) -> bool:
    """Change the name, and what is kept for clients alone. False when nothing changed."""
    user = change.session.get_one(User, change.account.id)
    name = data.get("name", user.name).strip()
    profile = profiles.merged(user, data)
    if (name, profile) == (user.name, user.profile):
        return False
    change.execute(SET_PROFILE, new_name=name, new_profile=profile)
    change.done("change-profile", "Your profile was changed")
    return True


def set_active(change: Change, active: bool, *, relinquish: bool = False) -> bool:
    """Enable an account, or disable it and end its sign-ins. False when nothing changed.

    Who is disabled gives up rooms, for which `relinquish` is needed. Raises LastAdmin, LastOwner.
    """
    if not active:
        change.end_sign_ins()
    with _keeping_an_admin(change.session):
        if not change.execute(SET_ACTIVE, wanted=active):
            return False
        if not active:
            relinquish_rooms(change, confirmed=relinquish, for_good=False)
    word = "enable" if active else "disable"
    change.done(f"{word}-user", f"Your account was {word}d")
    return True


def delete_user(change: Change, *, relinquish: bool = False) -> list[str]:
    """Delete a user and all its rows, except audit rows; the ids of the rooms deleted with it.

    `relinquish` is needed to give up rooms. Raises LastAdmin, LastOwner.
    """
    change.done("delete-user", "Your account was deleted")
    change.end_sign_ins()
    with _keeping_an_admin(change.session):
        rooms = relinquish_rooms(change, confirmed=relinquish, for_good=True)
        for statement in (*DROP_ROWS, DROP_USER):
            change.execute(statement)
    forget(change.session, change.account.id)
    return rooms


def change_roles(
    change: Change, add: Sequence[str], remove: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Give and take roles; what was done, such as `added admin`, and the roles after it.

    Raises BadPerson, LastAdmin.
    """
    session, account = change.session, change.account
    check_roles(session, [*add, *remove])
    wanted = [role for role in dict.fromkeys(add) if role not in account.roles]
    with _keeping_an_admin(session):
        rows = ({"user_id": account.id, "role": role} for role in wanted)
        new = [row["role"] for row in rows if ADD_ROLE(session, row).rowcount]
        gone = [role for role in dict.fromkeys(remove) if change.execute(DROP_ROLE, held=role)]
    done = [*(f"added {role}" for role in new), *(f"removed {role}" for role in gone)]
    told = [f"You got roles: {', '.join(new)}"] if new else []
    told += [f"You lost roles: {', '.join(gone)}"] if gone else []
    if done:
        _note_roles(change, session, account.id, done[:-1])
        change.done(CHANGE_ROLES, ". ".join(told), outcome=done[-1])
    return done, [role for role in (*account.roles, *new) if role not in gone]


def add_address(change: Change, address: str, *, verified: bool, beside: bool) -> None:
    """Give an account an address instead of its others, or `beside` them.

    The old and the new addresses get a mail. Raises BadPerson and DeadFactor.
    """
    check_address(address)
    old = [one for one, _ in addresses_of(change.session, change.account.id)]
    for other in [address] if beside else old:
        _drop_address(change, other)
    _store_address(change, address, verified)
    _check_factor(change)
    word = "added" if beside else "changed"
    words = f"Your e-mail address was {word}: {address}"
    change.done("change-email", words, outcome=word, also=[address])


def remove_address(change: Change, address: str) -> None:
    """Remove an address. Raises BadPerson where the user does not have it, and DeadFactor."""
    if not _drop_address(change, address):
        raise BadPerson(f"{change.account.username} has no address {address!r}.")
    _check_factor(change)
    words = f"Your e-mail address was removed: {address}"
    change.done("change-email", words, outcome="removed")


def verify_address(change: Change, address: str | None, *, verified: bool) -> str | None:
    """Mark an address, or the only one, as verified or not. None when it was so already.

    Raises BadPerson and DeadFactor.
    """
    chosen = _choose_address(change, address)
    if not change.execute(VERIFY_ADDRESS, one=name_key(chosen), wanted=verified):
        return None
    if verified:
        change.execute(RENEW_EMAIL, account=change.account.id, now=change.now)
    else:
        change.execute(DROP_CODES, account=change.account.id)
    _check_factor(change)
    word = "verified" if verified else "not verified any more"
    words = f"Your e-mail address is {word}: {chosen}"
    change.done("verify-email", words, outcome=word, also=[chosen])
    return chosen


def _note_roles(acting: Acting, session: Session, user_id: str, done: Sequence[str]) -> None:
    """Write a row for each: one row of all is cut, and would hide the last behind a long name."""
    for outcome in done:
        acting.note(session, CHANGE_ROLES, user_id, outcome)


@contextmanager
def _keeping_an_admin(session: Session) -> Iterator[None]:
    """Raise LastAdmin where the block takes away the last active administrator.

    Operators who take away one each at the same time wait for each other.
    """
    session.execute(LOCK_ADMINS)
    before = session.scalar(COUNT_ADMINS)
    yield
    if before and not session.scalar(COUNT_ADMINS):
        raise LastAdmin(
            "Nobody would be an administrator any more. Give somebody else the role admin first."
        )


def _store_address(change: Change, address: str, verified: bool) -> None:
    key = name_key(address)
    row = Email(user_id=change.account.id, address=address, address_key=key, verified=verified)
    change.session.add(row)
    try:
        change.session.flush()
    except IntegrityError:
        raise BadPerson(f"The address {address} is somebody else's.") from None
    if verified:
        change.execute(RENEW_EMAIL, account=change.account.id, now=change.now)


def _drop_address(change: Change, address: str) -> bool:
    """Drop an address, and all live codes, as it may have got one. False when there is none."""
    dropped = change.execute(DROP_ADDRESS, one=name_key(address)) > 0
    if dropped:
        change.execute(DROP_CODES, account=change.account.id)
    return dropped


def _choose_address(change: Change, address: str | None) -> str:
    username = change.account.username
    known = [one for one, _ in addresses_of(change.session, change.account.id)]
    if address is None and len(known) != 1:
        raise BadPerson(f"{username} has {len(known)} addresses. Say which.")
    for one in known:
        if address is None or name_key(one) == name_key(address):
            return one
    raise BadPerson(f"{username} has no address {address!r}.")


def _check_factor(change: Change) -> None:
    account_id, username = change.account.id, change.account.username
    verified = any(verified for _, verified in addresses_of(change.session, account_id))
    has_factor = change.session.get(EmailFactor, account_id) is not None
    if has_factor and not verified:
        raise DeadFactor(
            f"{username} would have codes by e-mail and no verified address. Give another"
            f" one with --verified, or switch them off: user email-2fa {username} --off"
        )
