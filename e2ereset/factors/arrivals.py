"""Second factors that come from another server, each inside an open transaction.

Nobody is mailed: the owner has changed nothing. The caller writes the audit row.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from e2ereset.errors import E2EResetError, EnrolmentInvalid
from e2ereset.records import Account
from e2ereset.store.transactions import run

from . import statements as sql
from .enrolment import Factors
from .strategies.totp import arrived_digest

PASSLIB: dict[str, Any] = {"type": "totp", "alg": "sha1", "digits": 6, "period": 30}
"""What passlib, and so Flask-Security, writes beside a secret; what is missing is as here."""


class TouchedHere(E2EResetError):
    """The account has begun to enrol TOTP on this server, or has disabled it here."""


def take_totp(
    session: Session,
    factors: Factors,
    account: Account,
    secret: str,
    *,
    now: int,
    hashed_codes: Iterable[str] = (),
) -> bool:
    """Enable TOTP by a secret in base32. False, and nothing is done, where TOTP is on already.

    `hashed_codes` are the SHA-256 hex of its unused backup codes. Raises TouchedHere, and
    EnrolmentInvalid for a malformed secret.
    """
    here = run(session, sql.GET_ENABLED, {"account": account.id}).first()
    if here is not None and here.enabled_at is not None:
        return False
    if here is not None:
        raise TouchedHere("TOTP was disabled here, or its owner is about to enrol it.")
    secret = factors.enable_totp_in(session, account, secret, now)
    digests = {arrived_digest(secret, account.id, hashed.lower()) for hashed in hashed_codes}
    if digests:
        rows = [{"account_id": account.id, "digest": digest} for digest in sorted(digests)]
        run(session, sql.ADD_BACKUPS, rows)
    return True


def take_email_factor(session: Session, account_id: str, enabled_at: int) -> None:
    """Enable codes by e-mail, for an account that has a verified address."""
    row = {"account_id": account_id, "enabled_at": enabled_at, "counts_from": None}
    sql.ADD_EMAIL(session, row)


def read_stored_secret(stored: Any) -> str:
    """The base32 secret in a column of another server, as text or in the JSON of passlib.

    "" where there is none. Raises EnrolmentInvalid for an encrypted one, for one that makes other
    codes than ours, and for what is no text.
    """
    if isinstance(stored, str) and stored.lstrip().startswith("{"):
        try:
            stored = json.loads(stored)
        except (ValueError, RecursionError):
            stored = 0
    if isinstance(stored, Mapping):
        if "enckey" in stored:
            raise EnrolmentInvalid("The secret is encrypted by another server")
        if any(stored.get(name, value) != value for name, value in PASSLIB.items()):
            raise EnrolmentInvalid("Only codes of 6 digits, 30 seconds and SHA-1 are known here")
        stored = stored.get("key", 0)
    if not isinstance(stored or "", str):
        raise EnrolmentInvalid("The secret is no text")
    return (stored or "").strip()
