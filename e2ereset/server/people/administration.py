"""Administration of accounts: password, roles, on and off, deletion.

What gets a `Change` is for `OnAccount.run`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from e2ereset.errors import E2EResetError
from e2ereset.server.tables import Base
from e2ereset.store.tables import table
from e2ereset.upkeep.forgetting import forget

from .acts import Acting, Change
from .models import User, UserRole
from .service import NewPerson, add_person, check_roles

ADMIN = "admin"
USERS, ROLES = table(User), table(UserRole)
OWN: Any = bindparam("owner")
SET_PASSWORD = update(USERS).where(USERS.c.id == OWN).values(password_hash=bindparam("new_hash"))
SET_ACTIVE = (
    update(USERS)
    .where(USERS.c.id == OWN, USERS.c.active != bindparam("wanted"))
    .values(active=bindparam("wanted"))
)
DROP_ROLE = delete(ROLES).where(ROLES.c.user_id == OWN, ROLES.c.role == bindparam("held"))
LOCK_ADMINS = (
    select(ROLES.c.user_id).where(ROLES.c.role == ADMIN).order_by(ROLES.c.user_id).with_for_update()
)
COUNT_ADMINS = (
    select(func.count())
    .select_from(ROLES.join(USERS, USERS.c.id == ROLES.c.user_id))
    .where(ROLES.c.role == ADMIN, USERS.c.active)
)
DROP_ALL = [
    *(
        delete(rows).where(rows.c.user_id == OWN)
        for rows in reversed(Base.metadata.sorted_tables)
        if "user_id" in rows.c
    ),
    delete(USERS).where(USERS.c.id == OWN),
]


class LastAdmin(E2EResetError):
    """Nobody would be an administrator any more."""


def add_user(session: Session, acting: Acting, new: NewPerson) -> str:
    """Make a user, in an open transaction; the id. Raises BadPerson."""
    user_id = add_person(session, new, acting.now, acting.runtime.entropy).id
    acting.note(session, "add-user", user_id)
    return user_id


def set_password(change: Change, new_hash: str) -> None:
    """Set a password by its hash, and end all sign-ins and personal tokens."""
    change.end_sign_ins()
    change.execute(SET_PASSWORD, new_hash=new_hash)
    change.done("set-password", "A new password was set, and all your sign-ins were ended")


def set_active(change: Change, active: bool) -> bool:
    """Enable an account, or disable it and end its sign-ins. False when nothing changed.

    Raises LastAdmin.
    """
    if not active:
        change.end_sign_ins()
    with _keeping_an_admin(change.session):
        if not change.execute(SET_ACTIVE, wanted=active):
            return False
    word = "enable" if active else "disable"
    change.done(f"{word}-user", f"Your account was {word}d")
    return True


def delete_user(change: Change) -> None:
    """Delete a user and all its rows, except audit rows. Raises LastAdmin."""
    change.done("delete-user", "Your account was deleted")
    change.end_sign_ins()
    with _keeping_an_admin(change.session):
        for statement in DROP_ALL:
            change.execute(statement)
    forget(change.session, change.account.id)


def change_roles(
    change: Change, add: Sequence[str], remove: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Give and take roles; what was done, such as `added admin`, and the roles after it.

    Raises BadPerson, LastAdmin.
    """
    session, account = change.session, change.account
    check_roles(session, [*add, *remove])
    new = [role for role in dict.fromkeys(add) if role not in account.roles]
    with _keeping_an_admin(session):
        session.add_all(UserRole(user_id=account.id, role=role) for role in new)
        session.flush()
        gone = [role for role in dict.fromkeys(remove) if change.execute(DROP_ROLE, held=role)]
    done = [*(f"added {role}" for role in new), *(f"removed {role}" for role in gone)]
    if words := ", ".join(done):
        change.done("change-roles", f"Your roles were changed: {words}", outcome=words)
    return done, [role for role in (*account.roles, *new) if role not in gone]


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
