"""A database full of people: each in ten encrypted rooms, with a key, a token and TOTP."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass

import pyotp
from sqlalchemy import Connection, create_engine, text

from e2ereset.crypto import KeyRing
from e2ereset.permissions import seed
from e2ereset.server import app as _all_tables  # noqa: F401
from e2ereset.server.sessions.tokens import token_digest
from e2ereset.server.tables import Base as ServerBase
from e2ereset.store.tables import Base

from .facts import KEY, ROOMS_EACH, SECRET_KEY

# Users and rooms get numbers with leading zeros, so that rows come in the order of their keys.
# SQLite and PostgreSQL both understand it.
FILL = (
    """CREATE TEMP TABLE n AS WITH RECURSIVE
       n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {people})
       SELECT i, 'u' || substr(CAST(100000000 + i AS text), 2) AS u,
       'r' || substr(CAST(100000000 + i AS text), 2) AS r FROM n""",
    """INSERT INTO users (id, username, username_key, name, active, kind, created_at)
       SELECT u, u, u, u, TRUE, 'user', 0 FROM n""",
    "INSERT INTO user_roles (user_id, role) SELECT u, 'user' FROM n",
    """INSERT INTO emails (user_id, address, address_key, verified)
       SELECT u, u || '@example.org', u || '@example.org', TRUE FROM n""",
    "INSERT INTO rooms (id, encrypted, e2e_key_id) SELECT r, TRUE, 'key' FROM n",
    """INSERT INTO subscriptions (user_id, room_id, e2e_key)
       SELECT u, 'r' || substr(CAST(100000000 + i + j
       - CASE WHEN i + j < {people} THEN 0 ELSE {people} END AS text), 2), '{key}'
       FROM n, (SELECT i AS j FROM n WHERE i < {rooms_each}) AS more ORDER BY u, j""",
    """INSERT INTO e2ereset_key_pairs (account_id, public_key, private_key, set_at)
       SELECT u, '{key}', '{key}', 0 FROM n""",
    # Used today: the first use of a day writes that.
    """INSERT INTO tokens
       (digest, user_id, kind, bypass_two_factor, created_at, used_at, expires_at)
       SELECT 'unknown ' || u, u, 'login', FALSE, 0, {now}, 4000000000 FROM n""",
    """INSERT INTO e2ereset_totp (account_id, secret, enabled_at, last_step)
       SELECT u, '{encrypted}', 1, 0 FROM n""",
    "DROP TABLE n",
)
PRAGMAS = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -200000")
# No check of foreign keys that we know to hold.
HASTE = ("SET session_replication_role = replica", "SET synchronous_commit = off")


@dataclass(frozen=True, slots=True)
class Call:
    """The headers of one call; `code` is empty for a call without one."""

    user: str
    token: str
    code: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Those of a request."""
        signed = {"X-User-Id": self.user, "X-Auth-Token": self.token}
        proof = {"x-2fa-method": "totp", "x-2fa-code": self.code}
        return signed | proof if self.code else signed


def fill(uri: str, people: int, rooms_each: int = ROOMS_EACH) -> None:
    """Make all tables in an empty database, and so many people with so many rooms each."""
    engine = create_engine(uri)
    encrypted = KeyRing([SECRET_KEY]).encrypt("totp", "nobody", pyotp.random_base32())
    facts = {"people": people, "rooms_each": rooms_each, "key": KEY, "encrypted": encrypted}
    facts["now"] = int(time.time())
    Base.metadata.create_all(engine)
    ServerBase.metadata.create_all(engine)
    with engine.connect() as connection:
        for statement in PRAGMAS if engine.dialect.name == "sqlite" else HASTE:
            connection.exec_driver_sql(statement)
        seed(connection)
        for statement in FILL:
            connection.exec_driver_sql(statement.format(**facts))
        connection.commit()
    engine.dispose()


def spread(people: int, wanted: int) -> list[str]:
    """So many of the people, spread over all of them."""
    return [f"u{i * people // wanted:08d}" for i in range(wanted)]


def make_known(connection: Connection, users: Iterable[str]) -> None:
    """Give these users the token and the TOTP secret that we know, unspent."""
    keyring, users = KeyRing([SECRET_KEY]), list(users)
    _set_tokens(connection, users)
    encrypted = [{"u": u, "s": keyring.encrypt("totp", u, _secret(u))} for u in users]
    spent = "UPDATE e2ereset_totp SET secret = :s, last_step = 0 WHERE account_id = :u"
    connection.execute(text(spent), encrypted)


def give_password(connection: Connection, users: Iterable[str], stored: str) -> None:
    """Give these users the password of this hash, and take their TOTP."""
    values = [{"u": user, "h": stored} for user in users]
    connection.execute(text("UPDATE users SET password_hash = :h WHERE id = :u"), values)
    connection.execute(text("DELETE FROM e2ereset_totp WHERE account_id = :u"), values)


def calls_with_codes(users: Iterable[str]) -> list[Call]:
    """A call for each user with the code of the next step, good for a minute at least."""
    return [Call(user, _token(user), code_of(_secret(user))) for user in users]


def code_of(secret: str) -> str:
    """The code of the next step, good for a minute at least."""
    return pyotp.TOTP(secret).at(int(time.time()) + 30)


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
