"""Users as the library sees them: find an account by any of its names, check its password."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Exists, Select, String, Table, and_, bindparam, exists, or_, select, update
from sqlalchemy.orm import Session

from e2ereset import Account, name_key
from e2ereset.records import TargetName
from e2ereset.store.statements import Statement, connection_of
from e2ereset.store.tables import table

from .models import FEDERATED, Email, User, UserRole
from .password_hashing import PasswordHasher

LONGEST_NAME = 255
USERS, EMAILS, ROLES = table(User), table(Email), table(UserRole)
KEY: Any = bindparam("key")
PROVEN: Any = bindparam("proven_by", type_=String)


def account_rows(*more: Any, beside: Table | None = None) -> Select[Any]:
    """Select rows from which `read_account` makes an account.

    `more` are columns of the table `beside`, which has a `user_id`.
    """
    users = USERS if beside is None else beside.join(USERS, beside.c.user_id == USERS.c.id)
    verified = and_(EMAILS.c.user_id == USERS.c.id, EMAILS.c.verified)
    joined = users.outerjoin(ROLES, ROLES.c.user_id == USERS.c.id).outerjoin(EMAILS, verified)
    has_password = USERS.c.password_hash.is_not(None).label("has_password")
    own = (USERS.c.id, USERS.c.username, USERS.c.active, USERS.c.kind, has_password)
    columns = (*own, ROLES.c.role, EMAILS.c.address, *more)
    return select(*columns).select_from(joined).order_by(EMAILS.c.id)


def is_active(user_id: Any) -> Exists:
    """The condition that the user of this column can sign in.

    No `IN`: for that SQLite goes through all users, once for each row.
    """
    return exists().where(USERS.c.id == user_id, USERS.c.active)


OWNER = select(EMAILS.c.user_id).where(EMAILS.c.address_key == KEY).scalar_subquery()
BY_ID = Statement(account_rows().where(USERS.c.id == KEY))
BY_NAME = Statement(account_rows().where(USERS.c.username_key == KEY))
BY_EMAIL = Statement(account_rows().where(USERS.c.id == OWNER))
PASSWORD = Statement(select(USERS.c.password_hash).where(USERS.c.id == KEY))
REHASH = Statement(
    update(USERS)
    .where(USERS.c.id == KEY, USERS.c.password_hash == bindparam("old"))
    .values(password_hash=bindparam("new"))
)
THIS = select(USERS.c.id).where(USERS.c.id == KEY).with_for_update()
LOCK = Statement(THIS)
LOCKED = "e2ereset locked users"
"""Where `Session.info` has the users that the transaction has locked; a session has only one."""
LOCK_ACTIVE = Statement(
    THIS.where(USERS.c.active, or_(PROVEN.is_(None), USERS.c.password_hash == PROVEN))
)


def get_account(session: Session, account_id: str) -> Account | None:
    """The account of this id; None when there is none."""
    return _find(session, BY_ID, account_id)


def find_account(session: Session, username: str) -> Account | None:
    """The account of this username, as `name_key` compares names; None when there is none."""
    return _find(session, BY_NAME, name_key(username))


def find_named(session: Session, named: TargetName) -> Account | None:
    """The account that is named; None when there is none."""
    if named.user_id is not None:
        return get_account(session, named.user_id)
    return find_account(session, named.username or "")


def find_account_by_email(session: Session, address: str) -> Account | None:
    """The account that owns this address, as `name_key` compares; None when there is none."""
    return _find(session, BY_EMAIL, name_key(address))


def usernames(session: Session, ids: Collection[str]) -> dict[str, str]:
    """The username of each of these ids that a user has."""
    rows = session.execute(select(USERS.c.id, USERS.c.username).where(USERS.c.id.in_(ids)))
    return {row.id: row.username for row in rows}


def prove_password(
    session: Session, hasher: PasswordHasher, account_id: str, digest: str
) -> str | None:
    """The stored hash that this `digest` matches; None where it is wrong.

    It replaces a hash of an old cost. An account without a password takes the same time. The
    caller holds a turn of the `hasher`.
    """
    while (stored := PASSWORD(session, {"key": account_id}).scalar()) is not None:
        if not hasher.verify(digest, stored):
            return None
        if not hasher.needs_rehash(stored):
            return str(stored)
        new = hasher.hash_digest(digest)
        if REHASH(session, {"key": account_id, "old": stored, "new": new}).rowcount:
            return new
        # Somebody has stored another hash meanwhile: check that one.
    hasher.dummy()
    return None


def lock_account(session: Session, account_id: str) -> None:
    """Lock this user until the end of the transaction, in which something is written."""
    locked = session.info.setdefault(LOCKED, set())
    if account_id in locked or connection_of(session).dialect.name == "sqlite":
        return  # on SQLite a writer has locked it all
    LOCK(session, {"key": account_id})
    if not session.in_nested_transaction():  # with a savepoint its locks are undone
        locked.add(account_id)


def lock_active(session: Session, account_id: str, proven_by: str | None = None) -> bool:
    """Lock this user; False, and no lock, where the user is missing or not active.

    Also False where `proven_by` is not the stored password hash any more; None checks nothing.
    """
    found = LOCK_ACTIVE(session, {"key": account_id, "proven_by": proven_by})
    return found.first() is not None


def could_be_stored(text: str) -> bool:
    """Whether a name in the database can be this text."""
    # Database drivers fail on lone surrogates and NUL, which are not printable.
    return len(text) <= LONGEST_NAME and text.isprintable()


def read_account(rows: Sequence[Any]) -> Account:
    """One account from the product of its roles and its verified addresses."""
    first = rows[0]
    return Account(
        id=first.id,
        username=first.username,
        emails=tuple(dict.fromkeys(row.address for row in rows if row.address)),
        roles=tuple(dict.fromkeys(row.role for row in rows if row.role)),
        active=first.active,
        federated=first.kind == FEDERATED,
        has_password=first.has_password,
    )


def _find(session: Session, statement: Statement, key: str) -> Account | None:
    rows = statement(session, {"key": key}) if could_be_stored(key) else ()
    return read_account(rows) if rows else None
