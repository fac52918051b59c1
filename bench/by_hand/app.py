"""The twin as an app, for SQLite and for PostgreSQL.

The same statements as the server's, all of them, in the same transactions, under the same pragmas,
with the same cryptography. Only the library around them is left out.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import threading
import time
from typing import Any

import pyotp
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask, Response, request

from .statements import (
    ACCOUNT,
    AUDIT,
    CHARGE,
    DROP_KEYS,
    DROP_PAIR,
    DROP_TOKENS,
    LOCK_TOKEN,
    LOCK_USER,
    OUTBOX,
    REFUND,
    SECRET,
    SIGNED_IN,
    TAKE_STEP,
    WAIT,
    connect,
)

SECRET_KEY = os.environ["FLASK_SECRET_KEY"]
LIMITS = ((300, 5), (3600, 20), (86400, 50))
MOST_FAILURES, GIVE_UP = 100, 7 * 86400
STEP, WINDOW = 30, 1


def _derive(label: str, length: int = 32) -> bytes:
    info = f"e2ereset {label}".encode()
    return HKDF(SHA256(), length=length, salt=None, info=info).derive(SECRET_KEY.encode())


KEY_ID = _derive("key id", 4).hex()
TOTP_BOX, OUTBOX_BOX = _derive("box totp"), _derive("box outbox")
AUDIT_KEY, SIGN_IN_KEY = _derive("digest audit row"), _derive("digest sign-in")

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
    if not rows or not rows[0][2]:
        return _answer(401, error="You must be logged in to do this.")
    secret = database.execute(SECRET, (user, rows[0][8])).fetchone()
    if secret is None:
        return _answer(400, error="There is no second factor.")
    if "x-2fa-code" not in request.headers:
        return _answer(400, error="TOTP Required")
    starts = _charge(database, user, now)
    if starts is None:
        return _answer(429, error="Too many tries.")
    if not _burn(database, user, token, secret[0], now):
        return _answer(400, error="TOTP Invalid")
    database.execute(REFUND, (*starts, user))
    if not database.execute(LOCK_TOKEN, values).rowcount:
        return _answer(401, error="You must be logged in to do this.")
    rows = database.execute(ACCOUNT, (user,)).fetchall()
    if not rows or not rows[0][2]:
        return _answer(401, error="You must be logged in to do this.")
    _reset(database, rows, now)
    database.commit()
    return _answer(200)


def _charge(database: Any, user: str, now: int) -> tuple[int, ...] | None:
    values = {"account": user, "now": now, "most_failures": MOST_FAILURES}
    for n, (length, most) in enumerate(LIMITS, 1):
        values |= {f"length_{n}": length, f"most_{n}": most}
    rows = database.execute(CHARGE, values).fetchall()
    database.commit()
    return rows[0][:3] if rows else None


def _burn(database: Any, user: str, token: str, encrypted: str, now: int) -> bool:
    code = request.headers["x-2fa-code"]
    totp = pyotp.TOTP(_decrypt(user, encrypted))
    present = now // STEP
    for step in range(present - WINDOW, present + WINDOW + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            place = (request.remote_addr, _digest(SIGN_IN_KEY, _token_digest(token)))
            taken = database.execute(TAKE_STEP, (step, *place, now, user, encrypted, step))
            return taken.rowcount == 1  # type: ignore[no-any-return]
    return False


def _reset(database: Any, rows: list[tuple[Any, ...]], now: int) -> None:
    user, username = rows[0][:2]
    if LOCK_USER:
        database.execute(LOCK_USER, (user,))
    database.execute(DROP_TOKENS, (user,))
    database.execute(DROP_PAIR, (user,))
    database.execute(DROP_KEYS, (now, user))
    database.execute(WAIT, (now, user))
    address, agent = request.remote_addr or "", request.headers.get("User-Agent", "")
    texts = ("reset-e2e-key", user, user, "totp", address, agent, "reset")
    uid = secrets.token_hex(16)
    database.execute(AUDIT, (uid, now, *texts, _digest(AUDIT_KEY, uid, str(now), *texts)))
    facts = {"username": username, "by": username, "own": True, "at": now, "address": address}
    plain = json.dumps({**facts, "agent": agent, "nothing_to_reset": False})
    for recipient in {row[6] for row in rows if row[6]}:
        encrypted = _encrypt(f"key-reset\n{recipient}", plain)
        job = ("key-reset", recipient, encrypted, now, now, None, now + GIVE_UP)
        database.execute(OUTBOX, job)


def _database() -> Any:
    if not hasattr(here, "database"):
        here.database = connect()
    return here.database


def _answer(status: int, **fields: str) -> Response:
    body = json.dumps({**fields, "success": status == 200}, separators=(",", ":"))
    response = Response(body, status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _token_digest(token: str) -> str:
    return base64.b64encode(hashlib.sha256(token.encode()).digest()).decode()


def _digest(key: bytes, *parts: str) -> str:
    mac = hmac.new(key, digestmod=hashlib.sha256)
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
