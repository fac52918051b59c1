"""The twin: a TOTP reset of one's own key by hand, in a plain Flask view on the raw driver.

The same statements as the server's, in the same transactions, under the same pragmas, with the
same cryptography; nothing but the general way of saying it is left out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import threading
import time
from typing import Any

import pyotp
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask, Response, request

DATABASE, SECRET_KEY = os.environ["BENCH_DATABASE"], os.environ["FLASK_SECRET_KEY"]
PRAGMAS = ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
LIMITS = ((300, 5), (3600, 20), (86400, 50))
STEP, WINDOW = 30, 1

SIGNED_IN = """
SELECT users.id, users.username, users.active, users.kind, users.password_hash IS NOT NULL,
  user_roles.role, emails.address, tokens.bypass_two_factor
FROM tokens JOIN (users LEFT OUTER JOIN user_roles ON user_roles.user_id = users.id
  LEFT OUTER JOIN emails ON emails.user_id = users.id AND emails.verified = 1)
  ON tokens.user_id = users.id
WHERE tokens.digest = ? AND tokens.user_id = ?
  AND (tokens.expires_at IS NULL OR tokens.expires_at > ?) AND users.active = 1
ORDER BY emails.id"""
SECRET = "SELECT secret FROM e2ereset_totp WHERE account_id = ? AND enabled_at IS NOT NULL"
_SET = ", ".join(
    f"start_{n} = CASE WHEN start_{n} + :length_{n} <= :now THEN :now ELSE start_{n} END,"
    f" count_{n} = CASE WHEN start_{n} + :length_{n} <= :now THEN 1 ELSE count_{n} + 1 END"
    for n in (1, 2, 3)
)
_ROOM = " AND ".join(
    f"(start_{n} + :length_{n} <= :now OR count_{n} < :most_{n})" for n in (1, 2, 3)
)
CHARGE = f"""
INSERT INTO e2ereset_budgets
  (account_id, purpose, start_1, count_1, start_2, count_2, start_3, count_3)
VALUES (:account, 'verify:totp', :now, 1, :now, 1, :now, 1)
ON CONFLICT (account_id, purpose) DO UPDATE SET {_SET} WHERE {_ROOM}
RETURNING start_1, start_2, start_3, count_1, count_2, count_3"""
LOCK_TOKEN = "UPDATE tokens SET user_id = user_id WHERE digest = ?"
TAKE_STEP = """
UPDATE e2ereset_totp SET last_step = ? WHERE account_id = ? AND secret = ? AND last_step < ?"""
REFUND = """
UPDATE e2ereset_budgets SET
  count_1 = CASE WHEN start_1 = ? THEN count_1 - 1 ELSE count_1 END,
  count_2 = CASE WHEN start_2 = ? THEN count_2 - 1 ELSE count_2 END,
  count_3 = CASE WHEN start_3 = ? THEN count_3 - 1 ELSE count_3 END
WHERE account_id = ? AND purpose = 'verify:totp'"""
DROP_PAIR = "DELETE FROM e2ereset_key_pairs WHERE account_id = ?"
DROP_KEYS = """
UPDATE subscriptions
SET e2e_key = NULL, suggested_key = NULL, suggested_old_keys = NULL, old_keys = NULL
WHERE user_id = ? AND (e2e_key IS NOT NULL OR suggested_key IS NOT NULL
  OR suggested_old_keys IS NOT NULL OR old_keys IS NOT NULL)"""
WAIT = """
INSERT INTO waiting_for_keys (room_id, user_id, since)
SELECT subscriptions.room_id, subscriptions.user_id, ?
FROM subscriptions JOIN rooms ON rooms.id = subscriptions.room_id
WHERE subscriptions.user_id = ? AND subscriptions.e2e_key IS NULL AND rooms.encrypted = 1
ON CONFLICT DO NOTHING"""
DROP_TOKENS = "DELETE FROM tokens WHERE user_id = ?"
AUDIT = """
INSERT INTO e2ereset_audit
  (uid, at, action, caller, target, method, address, agent, outcome, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
OUTBOX = """
INSERT INTO e2ereset_outbox (kind, recipient, sealed, created_at, due_at, expires_at, attempts)
VALUES (?, ?, ?, ?, ?, ?, 0)"""


def _derive(label: str, length: int = 32) -> bytes:
    info = f"e2ereset {label}".encode()
    return HKDF(SHA256(), length=length, salt=None, info=info).derive(SECRET_KEY.encode())


KEY_ID = _derive("key id", 4).hex()
TOTP_BOX, OUTBOX_BOX = _derive("box totp"), _derive("box outbox")
AUDIT_KEY = _derive("digest audit row")

app = Flask(__name__)
here = threading.local()


@app.teardown_request
def roll_back(_error: BaseException | None) -> None:
    """End what a refused or failed request has left open."""
    _database().rollback()


@app.post("/api/v1/users.resetE2EKey")
def reset_key() -> Response:
    """Reset the caller's own key behind a TOTP code."""
    now, database = int(time.time()), _database()
    user = request.headers.get("X-User-Id", "")
    token = request.headers.get("X-Auth-Token", "")
    values = (_token_digest(token), user, now)
    rows = database.execute(SIGNED_IN, values).fetchall()
    if not rows:
        return _answer(401, error="You must be logged in to do this.")
    if database.execute(SECRET, (user,)).fetchone() is None:
        return _answer(400, error="There is no second factor.")
    starts = _charge(database, user, now)
    if starts is None:
        return _answer(429, error="Too many tries.")
    if not _burn(database, user, request.headers.get("x-2fa-code", ""), now):
        return _answer(400, error="TOTP Invalid")
    database.execute(REFUND, (*starts, user))
    if not database.execute(LOCK_TOKEN, values[:1]).rowcount:
        return _answer(401, error="You must be logged in to do this.")
    _reset(database, rows, now)
    database.commit()
    return _answer(200)


def _charge(database: sqlite3.Connection, user: str, now: int) -> tuple[int, ...] | None:
    values: dict[str, Any] = {"account": user, "now": now}
    for n, (length, most) in enumerate(LIMITS, 1):
        values |= {f"length_{n}": length, f"most_{n}": most}
    rows = database.execute(CHARGE, values).fetchall()
    database.commit()
    return rows[0][:3] if rows else None


def _burn(database: sqlite3.Connection, user: str, code: str, now: int) -> bool:
    encrypted = database.execute(SECRET, (user,)).fetchone()[0]
    totp = pyotp.TOTP(_decrypt(user, encrypted))
    present = now // STEP
    for step in range(present - WINDOW, present + WINDOW + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            return database.execute(TAKE_STEP, (step, user, encrypted, step)).rowcount == 1
    return False


def _reset(database: sqlite3.Connection, rows: list[tuple[Any, ...]], now: int) -> None:
    user, username = rows[0][:2]
    database.execute(DROP_PAIR, (user,))
    database.execute(DROP_KEYS, (user,))
    database.execute(WAIT, (now, user))
    database.execute(DROP_TOKENS, (user,))
    address, agent = request.remote_addr or "", request.headers.get("User-Agent", "")
    texts = ("reset-e2e-key", user, user, "totp", address, agent, "reset")
    uid = secrets.token_hex(16)
    database.execute(AUDIT, (uid, now, *texts, _audit_digest(uid, str(now), *texts)))
    facts = {"username": username, "by": username, "own": True, "at": now, "address": address}
    plain = json.dumps({**facts, "agent": agent, "nothing_to_reset": False})
    for recipient in {row[6] for row in rows if row[6]}:
        encrypted = _encrypt(f"key-reset\n{recipient}", plain)
        database.execute(OUTBOX, ("key-reset", recipient, encrypted, now, now, None))


def _database() -> sqlite3.Connection:
    if not hasattr(here, "database"):
        here.database = sqlite3.connect(DATABASE)
        for pragma in PRAGMAS:
            here.database.execute(f"PRAGMA {pragma}").close()
    database: sqlite3.Connection = here.database
    return database


def _answer(status: int, **fields: str) -> Response:
    body = json.dumps({**fields, "success": status == 200}, separators=(",", ":"))
    response = Response(body, status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _token_digest(token: str) -> str:
    return base64.b64encode(hashlib.sha256(token.encode()).digest()).decode()


def _audit_digest(*parts: str) -> str:
    mac = hmac.new(AUDIT_KEY, digestmod=hashlib.sha256)
    for part in parts:
        data = part.encode()
        mac.update(len(data).to_bytes(8, "big") + data)
    return f"{KEY_ID}:{mac.hexdigest()}"


def _decrypt(user: str, encrypted: str) -> str:
    data = base64.b64decode(encrypted.partition(":")[2])
    return AESGCM(TOTP_BOX).decrypt(data[:12], data[12:], user.encode()).decode()


def _encrypt(context: str, plain: str) -> str:
    nonce = os.urandom(12)
    data = nonce + AESGCM(OUTBOX_BOX).encrypt(nonce, plain.encode(), context.encode())
    return f"{KEY_ID}:{base64.b64encode(data).decode()}"
