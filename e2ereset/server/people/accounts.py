"""The server's users as the library sees them: `ports.Accounts` and the optional ports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Executable,
    Row,
    Select,
    and_,
    bindparam,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from e2ereset.records import Account, name_key
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.rooms.models import Room, Subscription, Waiting
from e2ereset.server.sessions.login_budgets import EXPIRING as KNOWN_NETWORKS
from e2ereset.server.sessions.tokens import LIVE, TOKENS, USERS, drop_tokens, token_digest
from e2ereset.store.retained import NOW, Expiring
from e2ereset.store.tables import table
from e2ereset.store.transactions import Inserts, PerDialect, run

from .models import FEDERATED, Email, UserRole

LONGEST_NAME = 255
EMAILS, ROLES = table(Email), table(UserRole)
ROOMS, SUBSCRIPTIONS, WAITING = table(Room), table(Subscription), table(Waiting)

_FROM = USERS.outerjoin(ROLES, ROLES.c.user_id == USERS.c.id).outerjoin(
    EMAILS, and_(EMAILS.c.user_id == USERS.c.id, EMAILS.c.verified)
)
_COLUMNS = (
    USERS.c.id,
    USERS.c.username,
    USERS.c.active,
    USERS.c.kind,
    USERS.c.password_hash.is_not(None).label("has_password"),
    ROLES.c.role,
    EMAILS.c.address,
)
_ACCOUNT = select(*_COLUMNS).select_from(_FROM).order_by(EMAILS.c.id)
_OWNER = select(EMAILS.c.user_id).where(EMAILS.c.address_key == bindparam("key"))
BY_ID = _ACCOUNT.where(USERS.c.id == bindparam("key"))
BY_NAME = _ACCOUNT.where(USERS.c.username_key == bindparam("key"))
BY_EMAIL = _ACCOUNT.where(USERS.c.id == _OWNER.scalar_subquery())
SIGNED_IN = (
    select(*_COLUMNS, TOKENS.c.bypass_two_factor)
    .select_from(TOKENS.join(_FROM, TOKENS.c.user_id == USERS.c.id))
    .where(
        TOKENS.c.digest == bindparam("digest"),
        TOKENS.c.user_id == bindparam("user_id"),
        LIVE,
        USERS.c.active,
    )
    .order_by(EMAILS.c.id)
)
# An UPDATE that changes nothing: it locks on every database, which SELECT ... FOR UPDATE does not.
# The user stands beside the digest, so that tables split by user are asked in one place only.
LOCK_TOKEN = (
    update(TOKENS)
    .where(TOKENS.c.digest == bindparam("key"), TOKENS.c.user_id == bindparam("owner"), LIVE)
    .values(kind=TOKENS.c.kind)
)
PASSWORD = select(USERS.c.password_hash).where(USERS.c.id == bindparam("key"))
REHASH = (
    update(USERS)
    .where(USERS.c.id == bindparam("key"), USERS.c.password_hash == bindparam("old"))
    .values(password_hash=bindparam("new"))
)
_KEYS = (
    SUBSCRIPTIONS.c.e2e_key,
    SUBSCRIPTIONS.c.suggested_key,
    SUBSCRIPTIONS.c.suggested_old_keys,
    SUBSCRIPTIONS.c.old_keys,
)
DROP_KEYS = (
    update(SUBSCRIPTIONS)
    .where(
        SUBSCRIPTIONS.c.user_id == bindparam("key"),
        or_(*(column.is_not(None) for column in _KEYS)),
    )
    .values({column.name: None for column in _KEYS})
)


@PerDialect
def wait_for_keys(insert: Inserts) -> Executable:
    """Wait in each encrypted room of the user whose key the user does not have."""
    rooms = (
        select(
            SUBSCRIPTIONS.c.room_id,
            SUBSCRIPTIONS.c.user_id,
            bindparam("now", type_=BigInteger),
        )
        .join(ROOMS, ROOMS.c.id == SUBSCRIPTIONS.c.room_id)
        .where(
            SUBSCRIPTIONS.c.user_id == bindparam("key"),
            SUBSCRIPTIONS.c.e2e_key.is_(None),
            ROOMS.c.encrypted,
        )
    )
    columns = ["room_id", "user_id", "since"]
    return insert(WAITING).from_select(columns, rooms).on_conflict_do_nothing()


class ServerAccounts:
    """The users, their passwords, room keys and sign-ins, in the server's own tables."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self.hasher = hasher

    def get(self, session: Session, account_id: str) -> Account | None:
        """The account of this id; None when there is none."""
        return _find(session, BY_ID, account_id)

    def find(self, session: Session, username: str) -> Account | None:
        """The account of this username, as `name_key` compares names; None when there is none."""
        return _find(session, BY_NAME, name_key(username))

    def find_by_email(self, session: Session, address: str) -> Account | None:
        """The account that owns this address, as `name_key` compares; None when there is none."""
        return _find(session, BY_EMAIL, name_key(address))

    def check_password(self, session: Session, account_id: str, digest: str) -> bool:
        """Whether `digest` is the SHA-256 hex of the account's password.

        A hash of another cost than the present one is replaced. An account without a password
        takes the same time. Raises Busy while as many passwords are hashed as may be at once.
        """
        with self.hasher.turn():
            return self.prove(session, account_id, digest) is not None

    def prove(self, session: Session, account_id: str, digest: str) -> str | None:
        """As `check_password`, for those who have their turn already.

        It gives the stored hash that the password proved right by, None for a wrong one.
        """
        while (stored := session.execute(PASSWORD, {"key": account_id}).scalar()) is not None:
            if not self.hasher.verify(digest, stored):
                return None
            if not self.hasher.needs_rehash(stored):
                return str(stored)
            new = self.hasher.hash_digest(digest)
            if run(session, REHASH, {"key": account_id, "old": stored, "new": new}).rowcount:
                return new
            # Another hash is stored since it was read: that one decides.
        self.hasher.dummy()
        return None

    def drop_keys(self, session: Session, account_id: str, now: int) -> bool:
        """Drop every room key of the account and have it wait for new ones.

        True when there was a key, a suggestion or an old key to drop.
        """
        dropped = run(session, DROP_KEYS, {"key": account_id}).rowcount
        wait_for_keys(session, {"key": account_id, "now": now})
        return dropped > 0

    def keys_set(self, session: Session, account_id: str, now: int) -> None:
        """Have the account, which has a new key pair, wait for the room keys it lacks."""
        wait_for_keys(session, {"key": account_id, "now": now})

    def end_sessions(self, session: Session, account_id: str) -> int:
        """End every sign-in and personal token of the account; the number of those ended."""
        return drop_tokens(session, account_id)

    def is_signed_in(self, session: Session, sign_in: str, now: int) -> bool:
        """Whether the token of this sign-in is live; locks it until the commit."""
        digest, _, owner = sign_in.partition(" ")
        token = {"key": digest, "owner": owner, "now": now}
        return run(session, LOCK_TOKEN, token).rowcount == 1

    def expiring(self) -> tuple[Expiring, ...]:
        """Sign-ins that are over, which personal tokens never are; networks not seen for long."""
        return (Expiring("tokens", TOKENS, TOKENS.c.expires_at <= NOW), KNOWN_NETWORKS)


def find_signed_in(
    session: Session | Connection, user_id: str, token: str, now: int
) -> tuple[Account, bool] | None:
    """Whose live token this is, in one query, and whether it skips the second factor.

    None when the token is not this user's, is over, or the user is not active.
    """
    if not _could_be_stored(user_id) or len(token) > LONGEST_NAME:
        return None
    parameters = {"digest": token_digest(token), "user_id": user_id, "now": now}
    rows = run(session, SIGNED_IN, parameters).all()
    return (_account(rows), rows[0].bypass_two_factor) if rows else None


def _find(session: Session, statement: Select[Any], key: str) -> Account | None:
    if not _could_be_stored(key):
        return None
    rows = run(session, statement, {"key": key}).all()
    return _account(rows) if rows else None


def _account(rows: Sequence[Row[Any]]) -> Account:
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


def _could_be_stored(text: str) -> bool:
    # Lone surrogates and NUL, which a database driver chokes on, are not printable.
    return len(text) <= LONGEST_NAME and text.isprintable()
