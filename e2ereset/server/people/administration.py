"""Looking after accounts: password, roles, on and off, deletion, tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from e2ereset import Account
from e2ereset.errors import E2EResetError
from e2ereset.server.sessions.service import NotActivated
from e2ereset.server.sessions.tokens import NewToken, add_token, drop_tokens
from e2ereset.server.tables import Base
from e2ereset.store.tables import table
from e2ereset.store.transactions import run
from e2ereset.upkeep.forgetting import forget

from .acts import Acting
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


def add_user(acting: Acting, new: NewPerson) -> str:
    """Make a user; the id. Raises BadPerson."""
    with acting.runtime.transactions.begin() as session:
        user_id = add_person(session, new, acting.now, acting.runtime.entropy).id
        acting.note(session, "add-user", user_id)
    return user_id


def set_password(acting: Acting, account: Account, digest: str) -> None:
    """Set the password that has this digest, and end all sign-ins and personal tokens."""
    new_hash = acting.sessions.accounts.hasher.hash_digest(digest)

    def act(session: Session, account: Account) -> None:
        drop_tokens(session, account.id)
        run(session, SET_PASSWORD, {"owner": account.id, "new_hash": new_hash})
        change = "A new password was set, and all your sign-ins were ended"
        acting.done(session, account, "set-password", change)

    acting.change(account, act)


def set_active(acting: Acting, account: Account, active: bool) -> bool:
    """Switch an account on, or off with all its sign-ins. False when it was so already.

    Raises LastAdmin.
    """

    def act(session: Session, account: Account) -> bool:
        if not active:
            drop_tokens(session, account.id)
        with _keeping_an_admin(session):
            wanted = {"owner": account.id, "wanted": active}
            if not run(session, SET_ACTIVE, wanted).rowcount:
                return False
        word = "enable" if active else "disable"
        acting.done(session, account, f"{word}-user", f"Your account was {word}d")
        return True

    return acting.change(account, act)


def delete_user(acting: Acting, account: Account) -> None:
    """Delete a user with all that is kept of it, but for audit rows. Raises LastAdmin."""

    def act(session: Session, account: Account) -> None:
        acting.done(session, account, "delete-user", "Your account was deleted")
        drop_tokens(session, account.id)
        with _keeping_an_admin(session):
            for statement in DROP_ALL:
                run(session, statement, {"owner": account.id})
        forget(session, account.id)

    acting.change(account, act)


def change_roles(
    acting: Acting, account: Account, *, add: Sequence[str], remove: Sequence[str]
) -> list[str]:
    """Give and take roles; what was done, such as `added admin`. Raises BadPerson, LastAdmin."""

    def act(session: Session, account: Account) -> list[str]:
        check_roles(session, [*add, *remove])
        new = [role for role in dict.fromkeys(add) if role not in account.roles]
        with _keeping_an_admin(session):
            session.add_all(UserRole(user_id=account.id, role=role) for role in new)
            session.flush()
            gone = [
                role
                for role in dict.fromkeys(remove)
                if run(session, DROP_ROLE, {"owner": account.id, "held": role}).rowcount
            ]
        done = [*(f"added {role}" for role in new), *(f"removed {role}" for role in gone)]
        if done:
            words = ", ".join(done)
            change = f"Your roles were changed: {words}"
            acting.done(session, account, "change-roles", change, outcome=words)
        return done

    return acting.change(account, act)


def make_token(
    acting: Acting, account: Account, *, label: str | None = None, bypass: bool = False
) -> str:
    """A new sign-in, or with a label a personal token. Raises NotActivated, TokenNameTaken."""

    def act(session: Session, account: Account) -> str:
        kind = "A sign-in"
        if label is None:
            made = acting.sessions.add(session, account.id, acting.now).token
        else:
            made = _add_personal(acting, session, account, label=label, bypass=bypass)
            kind = f"A personal access token ({label})"
        skips = " that skips the second factor" if bypass else ""
        acting.done(session, account, "add-token", f"{kind}{skips} was made for you")
        return made

    return acting.change(account, act)


def end_tokens(acting: Acting, account: Account) -> int:
    """End every sign-in and personal token; how many there were."""

    def act(session: Session, account: Account) -> int:
        ended = drop_tokens(session, account.id)
        if ended:
            change = "All your sign-ins and personal access tokens were ended"
            acting.done(session, account, "end-tokens", change, outcome=f"ended {ended}")
        return ended

    return acting.change(account, act)


def _add_personal(
    acting: Acting, session: Session, account: Account, *, label: str, bypass: bool
) -> str:
    new = NewToken(
        user_id=account.id,
        created_at=acting.now,
        expires_at=None,
        name=label,
        bypass_two_factor=bypass,
    )
    made = add_token(session, new, acting.runtime.entropy)
    if made is None:
        raise NotActivated
    return made


@contextmanager
def _keeping_an_admin(session: Session) -> Iterator[None]:
    """Raise LastAdmin where the block leaves no active administrator, and there was one.

    Two operators who take away one each wait here for each other.
    """
    session.execute(LOCK_ADMINS)
    before = session.scalar(COUNT_ADMINS)
    yield
    if before and not session.scalar(COUNT_ADMINS):
        raise LastAdmin(
            "Nobody would be an administrator any more. Give somebody else the role admin first."
        )
