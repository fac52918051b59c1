"""A database full of people: each in ten encrypted rooms, with a key, a token and TOTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyotp
from sqlalchemy import Connection, create_engine, text

from e2ereset.crypto import KeyRing
from e2ereset.permissions import seed
from e2ereset.server.sessions.tokens import token_digest
from e2ereset.server.tables import Base as ServerBase
from e2ereset.store.tables import Base

SECRET_KEY = "a secret key of the benchmark"
ROOMS_EACH = 10
KEY = "k" * 60  # a wrapped key; longer ones cost both twins the same

# Users and rooms get numbers with leading zeros, so that rows come in the order of their keys.
FILL = (
    """CREATE TEMP TABLE n AS WITH RECURSIVE
       n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :people)
       SELECT i, printf('u%08d', i) AS u, printf('r%08d', i) AS r FROM n""",
    """INSERT INTO users (id, username, username_key, name, active, kind, created_at)
       SELECT u, u, u, u, 1, 'user', 0 FROM n""",
    "INSERT INTO user_roles (user_id, role) SELECT u, 'user' FROM n",
    """INSERT INTO emails (user_id, address, address_key, verified)
       SELECT u, u || '@example.org', u || '@example.org', 1 FROM n""",
    "INSERT INTO rooms (id, encrypted, e2e_key_id) SELECT r, 1, 'key' FROM n",
    """INSERT INTO subscriptions (user_id, room_id, e2e_key)
       SELECT u, printf('r%08d', (i + j) % :people), :key
       FROM n, (SELECT i AS j FROM n WHERE i < :rooms_each) ORDER BY u, j""",
    """INSERT INTO e2ereset_key_pairs (account_id, public_key, private_key, set_at)
       SELECT u, :key, :key, 0 FROM n""",
    """INSERT INTO tokens (digest, user_id, kind, bypass_two_factor, created_at, expires_at)
       SELECT substr(hex(randomblob(22)), 1, 44), u, 'login', 0, 0, :expires FROM n""",
    """INSERT INTO e2ereset_totp (account_id, secret, enabled_at, last_step)
       SELECT u, :encrypted, 1, 0 FROM n""",
)


@dataclass(frozen=True, slots=True)
class Call:
    """The headers of one call; `code` is `-` for a call without one."""

    user: str
    token: str
    code: str = "-"


def fill(path: Path, people: int) -> None:
    """Make a SQLite database with so many people in it."""
    engine = create_engine(f"sqlite:///{path}")
    encrypted = KeyRing([SECRET_KEY]).encrypt("totp", "nobody", pyotp.random_base32())
    values = {"people": people, "rooms_each": ROOMS_EACH, "key": KEY, "encrypted": encrypted}
    values |= {"expires": int(time.time()) + 86400}
    Base.metadata.create_all(engine)
    ServerBase.metadata.create_all(engine)
    with engine.connect() as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        seed(connection)
        for statement in FILL:
            connection.execute(text(statement), values)
        connection.commit()
    engine.dispose()


def equip(path: Path, people: int, wanted: int) -> list[str]:
    """Give a token and a TOTP secret that we know to `wanted` people, spread over all of them."""
    users = [f"u{i * people // wanted:08d}" for i in range(wanted)]
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        make_known(connection, users)
    engine.dispose()
    return users


def make_known(connection: Connection, users: Iterable[str]) -> None:
    """Give these users the token and the TOTP secret that we know, unspent."""
    keyring, users = KeyRing([SECRET_KEY]), list(users)
    _set_tokens(connection, users)
    encrypted = [{"u": u, "s": keyring.encrypt("totp", u, _secret(u))} for u in users]
    spent = "UPDATE e2ereset_totp SET secret = :s, last_step = 0 WHERE account_id = :u"
    connection.execute(text(spent), encrypted)


def calls_with_codes(users: Iterable[str]) -> list[Call]:
    """A call for each user with the code of the next step, good for a minute at least."""
    at = time.time() + 30
    return [Call(user, _token(user), pyotp.TOTP(_secret(user)).at(at)) for user in users]


def calls_without_codes(users: Iterable[str]) -> list[Call]:
    """A signed-in call for each user, without a code."""
    return [Call(user, _token(user)) for user in users]


def _set_tokens(connection: Connection, users: Iterable[str]) -> None:
    digests = [{"u": user, "d": token_digest(_token(user))} for user in users]
    connection.execute(text("UPDATE tokens SET digest = :d WHERE user_id = :u"), digests)


def _token(user: str) -> str:
    return hmac.new(SECRET_KEY.encode(), user.encode(), hashlib.sha256).hexdigest()[:43]


def _secret(user: str) -> str:
    return base64.b32encode(hashlib.sha256(user.encode()).digest())[:32].decode()
