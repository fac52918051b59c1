"""The statements of the twin, as the driver of its database wants them."""

import os
import re
import sqlite3
from typing import Any

DATABASE = os.environ["BENCH_DATABASE"]
PRAGMAS = ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")


def connect() -> Any:
    """A connection to the database: the path of a SQLite file, or an address of a PostgreSQL."""
    if DATABASE.startswith("postgresql"):
        import psycopg

        return psycopg.connect(DATABASE)
    connection = sqlite3.connect(DATABASE)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()
    return connection


def _sql(text: str) -> str:
    if not DATABASE.startswith("postgresql"):
        return text
    return re.sub(r"(?<!\w):(\w+)", r"%(\1)s", text).replace("?", "%s")


_USER = """SELECT users.id, users.username, users.active, users.kind,
  users.password_hash IS NOT NULL, user_roles.role, emails.address"""
_NAMES = """LEFT OUTER JOIN user_roles ON user_roles.user_id = users.id
  LEFT OUTER JOIN emails ON emails.user_id = users.id AND emails.verified"""
ACCOUNT = _sql(f"{_USER} FROM users {_NAMES} WHERE users.id = ? ORDER BY emails.id")
SIGNED_IN = _sql(f"""
{_USER}, tokens.bypass_two_factor, tokens.created_at
FROM tokens JOIN users ON tokens.user_id = users.id {_NAMES}
WHERE tokens.digest = ? AND tokens.user_id = ?
  AND (tokens.expires_at IS NULL OR tokens.expires_at > ?)
ORDER BY emails.id""")
SECRET = _sql("""
SELECT secret FROM e2ereset_totp
WHERE account_id = ? AND enabled_at IS NOT NULL AND (counts_from IS NULL OR counts_from <= ?)""")
_OVER = {
    n: f"(b.start_{n} + :length_{n} <= :now OR b.start_{n} >= :now + :length_{n})"
    for n in (1, 2, 3)
}
_SET = ", ".join(
    f"start_{n} = CASE WHEN {over} OR b.start_{n} > :now THEN :now ELSE b.start_{n} END,"
    f" count_{n} = CASE WHEN {over} THEN 1 ELSE b.count_{n} + 1 END"
    for n, over in _OVER.items()
)
_ROOM = " AND ".join(f"({over} OR b.count_{n} < :most_{n})" for n, over in _OVER.items())
CHARGE = _sql(f"""
INSERT INTO e2ereset_budgets AS b
  (account_id, purpose, start_1, count_1, start_2, count_2, start_3, count_3, failures)
VALUES (:account, 'verify:totp', :now, 1, :now, 1, :now, 1, 1)
ON CONFLICT (account_id, purpose) DO UPDATE SET {_SET}, failures = b.failures + 1
WHERE {_ROOM} AND b.failures < :most_failures
RETURNING start_1, start_2, start_3, count_1, count_2, count_3, failures""")
LOCK_TOKEN = _sql("""
UPDATE tokens SET kind = kind
WHERE digest = ? AND user_id = ? AND (expires_at IS NULL OR expires_at > ?)""")
TAKE_STEP = _sql("""
UPDATE e2ereset_totp SET last_step = ?, last_address = ?, last_sign_in = ?, used_at = ?
WHERE account_id = ? AND secret = ? AND last_step < ?""")
_LESS = ", ".join(
    f"count_{n} = CASE WHEN purpose = 'verify:totp' AND start_{n} = ? THEN count_{n} - 1"
    f" ELSE count_{n} END"
    for n in (1, 2, 3)
)
REFUND = _sql(f"""
UPDATE e2ereset_budgets SET {_LESS}, failures = 0
WHERE account_id = ? AND (purpose = 'verify:totp' OR failures >= 100)""")
DROP_PAIR = _sql("DELETE FROM e2ereset_key_pairs WHERE account_id = ?")
DROP_KEYS = _sql("""
UPDATE subscriptions
SET e2e_key = NULL, suggested_key = NULL, suggested_old_keys = NULL, old_keys = NULL,
  updated_at = ?
WHERE user_id = ? AND (e2e_key IS NOT NULL OR suggested_key IS NOT NULL
  OR suggested_old_keys IS NOT NULL OR old_keys IS NOT NULL)""")
WAIT = _sql("""
INSERT INTO waiting_for_keys (room_id, user_id, since)
SELECT subscriptions.room_id, subscriptions.user_id, ?
FROM subscriptions JOIN rooms ON rooms.id = subscriptions.room_id
WHERE subscriptions.user_id = ? AND subscriptions.e2e_key IS NULL AND rooms.encrypted
ON CONFLICT DO NOTHING""")
# On SQLite a writer has locked the whole database already.
LOCK_USER = DATABASE.startswith("postgresql") and _sql(
    "SELECT id FROM users WHERE id = ? FOR UPDATE"
)
DROP_TOKENS = _sql("DELETE FROM tokens WHERE user_id = ?")
AUDIT = _sql("""
INSERT INTO e2ereset_audit
  (uid, at, action, caller, target, method, address, agent, outcome, reason, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?)""")
OUTBOX = _sql("""
INSERT INTO e2ereset_outbox (kind, recipient, sealed, created_at, due_at, expires_at, attempts,
  urgency, once, give_up_at)
VALUES (?, ?, ?, ?, ?, ?, 0, 1, NULL, ?)""")
