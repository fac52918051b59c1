"""Sign-ins and personal access tokens. Only a token's SHA-256 is stored, as the reference does."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    Row,
    String,
    bindparam,
    delete,
    insert,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from e2ereset.errors import E2EResetError
from e2ereset.server.people.models import User
from e2ereset.store.tables import table
from e2ereset.store.transactions import counted, run

from .models import LOGIN, PERSONAL, Token

TOKENS = table(Token)
USERS = table(User)
TOKEN_BYTES = 32  # 43 characters


class TokenNameTaken(E2EResetError):
    """The user has a personal token of this name."""


class Entropy(Protocol):
    """What makes tokens: the module `secrets`, or its like in a test."""

    def token_urlsafe(self, nbytes: int) -> str:
        """`nbytes` of randomness as URL-safe text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to be made. `expires_at`, in epoch seconds, is None for a personal token.

    `proven_by`: the stored hash of the password that it is made for; None where none was asked.
    """

    user_id: str
    created_at: int
    expires_at: int | None
    name: str | None = None
    bypass_two_factor: bool = False
    proven_by: str | None = field(default=None, repr=False)


# An account that was switched off since its password was checked gets no row, nor does one whose
# password is another one by now.
PROVEN: Any = bindparam("proven_by", type_=String)
ADD = counted(
    insert(TOKENS).from_select(
        ["digest", "user_id", "kind", "name", "bypass_two_factor", "created_at", "expires_at"],
        select(
            bindparam("digest", type_=String),
            USERS.c.id,
            bindparam("kind", type_=String),
            bindparam("name", type_=String),
            bindparam("bypass_two_factor", type_=Boolean),
            bindparam("created_at", type_=BigInteger),
            bindparam("expires_at", type_=BigInteger),
        ).where(
            USERS.c.id == bindparam("user_id"),
            USERS.c.active,
            or_(PROVEN.is_(None), USERS.c.password_hash == PROVEN),
        ),
    )
)
LIVE = or_(TOKENS.c.expires_at.is_(None), TOKENS.c.expires_at > bindparam("now"))
_SHOWN = ("kind", "name", "created_at", "expires_at", "bypass_two_factor")
LIST = (
    select(*(TOKENS.c[name] for name in _SHOWN))
    .where(TOKENS.c.user_id == bindparam("user_id"), LIVE)
    .order_by(TOKENS.c.created_at, TOKENS.c.kind, TOKENS.c.name)
)
OWNER = (
    select(TOKENS.c.user_id)
    .join(USERS, USERS.c.id == TOKENS.c.user_id)
    .where(TOKENS.c.digest == bindparam("digest"), LIVE, USERS.c.active)
)
DROP = delete(TOKENS).where(
    TOKENS.c.digest == bindparam("digest"), TOKENS.c.user_id == bindparam("user_id")
)
DROP_ALL = delete(TOKENS).where(TOKENS.c.user_id == bindparam("user_id"))
LOCK_USER = select(USERS.c.id).where(USERS.c.id == bindparam("user_id")).with_for_update()
DROP_EXPIRED = DROP_ALL.where(TOKENS.c.expires_at <= bindparam("now"))


def token_digest(token: str) -> str:
    """base64(SHA-256(token)): the form in which a token is stored and looked up."""
    data = token.encode("utf-8", "surrogatepass")
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def make_token(entropy: Entropy) -> str:
    """The text of a new token, which is worth nothing before `add_token` has stored it."""
    return entropy.token_urlsafe(TOKEN_BYTES)


def sign_in_of(user_id: str, token: str) -> str:
    """The handle of the sign-in by this token of the user, as `Caller.sign_in` has it."""
    return f"{token_digest(token)} {user_id}"


def add_token(
    session: Session, new: NewToken, entropy: Entropy, *, token: str | None = None
) -> str | None:
    """Store a new token and drop the user's expired ones; the token itself is kept nowhere.

    It is `token`, where that was made before. None when the user is not there or not active any
    more, or has another password. Raises TokenNameTaken.
    """
    token = token or make_token(entropy)
    values: dict[str, Any] = {
        "digest": token_digest(token),
        "user_id": new.user_id,
        "kind": LOGIN if new.name is None else PERSONAL,
        "name": new.name,
        "bypass_two_factor": new.bypass_two_factor,
        "created_at": new.created_at,
        "expires_at": new.expires_at,
        "proven_by": new.proven_by,
    }
    run(session, DROP_EXPIRED, {"user_id": new.user_id, "now": new.created_at})
    # Whoever changes the user, and ends its tokens, comes before or after this, never in between.
    run(session, LOCK_USER, {"user_id": new.user_id})
    try:
        added = run(session, ADD, values).rowcount
    except IntegrityError:
        raise TokenNameTaken(f"The user has a token of the name {new.name!r} already.") from None
    return token if added else None


def list_tokens(session: Session, user_id: str, now: int) -> Sequence[Row[Any]]:
    """The live sign-ins and personal tokens of the user, oldest first, without their digests."""
    return session.execute(LIST, {"user_id": user_id, "now": now}).all()


def find_owner(session: Session, token: str, now: int) -> str | None:
    """The id of the active user whose live token this is; None when it is nobody's."""
    return session.execute(OWNER, {"digest": token_digest(token), "now": now}).scalar()


def drop_token(session: Session, user_id: str, token: str) -> bool:
    """End this one sign-in of the user. False when it had ended already."""
    parameters = {"digest": token_digest(token), "user_id": user_id}
    return run(session, DROP, parameters).rowcount == 1


def drop_tokens(session: Session, user_id: str) -> int:
    """End every sign-in and personal token of the user; the number of those ended.

    No new one is made before the commit.
    """
    parameters = {"user_id": user_id}
    dropped = run(session, DROP_ALL, parameters).rowcount
    # A token under way holds its user's row until its commit: only then is it there to be dropped.
    run(session, LOCK_USER, parameters)
    return dropped + run(session, DROP_ALL, parameters).rowcount
