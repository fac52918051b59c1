"""Time-based one-time passwords (RFC 6238) and backup codes."""

import hashlib
import hmac
from typing import Any

import pyotp
from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing, digest_under
from e2ereset.factors.models import BackupCode, Totp
from e2ereset.records import Attempt, Caller
from e2ereset.store.retained import Encrypted
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table
from e2ereset.typed import is_digits, plain_code

from .base import Strategy, counting

STEP_SECONDS = 30
DIGITS = 6
BACKUP_LENGTH = 8
SIGN_IN = "sign-in of a step"
SECRET_OF = "totp secret"  # noqa: S105 - a name in `Attempt.memo`

TOTPS, BACKUPS = table(Totp), table(BackupCode)
MINE = TOTPS.c.account_id == bindparam("account")
BACKUPS_OF_MINE = BACKUPS.c.account_id == bindparam("account")
COUNTS = or_(TOTPS.c.counts_from.is_(None), TOTPS.c.counts_from <= bindparam("counting"))
SECRET = Statement(select(TOTPS.c.secret).where(MINE, TOTPS.c.enabled_at.is_not(None), COUNTS))
USE: dict[str, Any] = {
    "last_step": bindparam("step"),
    "last_address": bindparam("from_address"),
    "last_sign_in": bindparam("in_sign_in"),
    "used_at": bindparam("now"),
}
TAKE_STEP = Statement(
    update(TOTPS)
    .where(MINE, TOTPS.c.secret == bindparam("encrypted"), TOTPS.c.last_step < bindparam("step"))
    .values(USE)
)
LAST_USE = Statement(
    select(TOTPS.c.last_step, TOTPS.c.last_address, TOTPS.c.last_sign_in).where(MINE)
)
USED = Statement(update(TOTPS).where(MINE).values(used_at=bindparam("now")))
EITHER = or_(BACKUPS.c.digest == bindparam("burnt"), BACKUPS.c.digest == bindparam("burnt_arrived"))
BURN = Statement(delete(BACKUPS).where(BACKUPS_OF_MINE, EITHER))
LEFT = select(func.count()).select_from(BACKUPS).where(BACKUPS_OF_MINE)


def matching_steps(secret: str, code: str, *, now: int, window: int) -> list[int]:
    """The steps within the window that have this code: none or, nearly always, one.

    Every step is computed, and compared in constant time, even after one matches.
    """
    present = now // STEP_SECONDS
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    steps = range(max(0, present - window), present + window + 1)
    return [s for s in steps if hmac.compare_digest(totp.generate_otp(s), code)]


def place_of(keyring: KeyRing, user: Attempt | Caller | None) -> dict[str, str | None]:
    """The address and the sign-in from which a step is used; both are None for an unknown `user`.

    Of the sign-in a digest is stored, as its handle may be secret.
    """
    if user is None:
        return {"from_address": None, "in_sign_in": None}
    digest = keyring.digest(SIGN_IN, user.sign_in) if user.sign_in else None
    return {"from_address": user.address, "in_sign_in": digest}


def backup_digest(secret: str, account_id: str, code: str) -> str:
    """The stored form of a backup code: a digest under the TOTP secret of its account.

    A digest under a secret key could not be renewed without the code when the key is rotated.
    """
    return digest_under(secret, "backup code", account_id, code.upper())


def arrived_digest(secret: str, account_id: str, hashed: str) -> str:
    """The stored form of a backup code that came from elsewhere, as the SHA-256 hex of its text.

    Such a hash alone is soon guessed: a digest under the TOTP secret, of a purpose of its own, is
    as safe as that of a code of ours. Upper and lower case of the code matter, as they did there.
    """
    return digest_under(secret, "arrived backup code", account_id, hashed)


class TotpStrategy(Strategy):
    """Six digits, 30 seconds, SHA-1. A step passes once, and never after a later step."""

    name = "totp"
    encrypted = (Encrypted(TOTPS.c.secret, "totp"), Encrypted(TOTPS.c.pending_secret, "totp"))

    def usable(self, attempt: Attempt) -> bool:
        """Whether TOTP is enabled."""
        return self._encrypted(attempt) is not None

    def verify(self, attempt: Attempt, code: str) -> bool:
        """Whether it is a fresh code or an unused backup code. An accepted code is used up."""
        code = plain_code(code)
        if len(code) == BACKUP_LENGTH:
            return self._verify_backup(attempt, code)
        return is_digits(code, DIGITS) and self._verify_step(attempt, code)

    def explain(self, attempt: Attempt, code: str) -> dict[str, Any]:
        """Tells that the code's step was used already, and the seconds to the next step.

        It speaks only of codes that can never pass again: a guesser learns nothing useful.
        """
        code, encrypted = plain_code(code), self._encrypted(attempt)
        if encrypted is None or not is_digits(code, DIGITS):
            return {}
        window, secret = self.parts.settings.totp_window, self._decrypt(attempt, encrypted)
        steps = matching_steps(secret, code, now=attempt.now, window=window)
        if not steps or min(steps) > self._last_use(attempt).last_step:
            return {}
        return {"codeReused": True, "retryAfter": STEP_SECONDS - attempt.now % STEP_SECONDS}

    def _encrypted(self, attempt: Attempt, *, anew: bool = False) -> str | None:
        """The encrypted secret, read once for a request; None when TOTP is not enabled.

        What is done by an old one is refused: each statement that uses up a code checks it.
        """
        if anew or not attempt.memo.get(SECRET_OF):
            mine = {"account": attempt.account.id, "counting": counting(attempt)}
            attempt.memo[SECRET_OF] = SECRET(attempt.session, mine).scalar()
        encrypted: str | None = attempt.memo[SECRET_OF]
        return encrypted

    def _decrypt(self, attempt: Attempt, encrypted: str) -> str:
        return self.parts.keyring.decrypt("totp", attempt.account.id, encrypted)

    def _verify_step(self, attempt: Attempt, code: str) -> bool:
        encrypted, window = self._encrypted(attempt), self.parts.settings.totp_window
        while encrypted is not None:
            secret = self._decrypt(attempt, encrypted)
            steps = matching_steps(secret, code, now=attempt.now, window=window)
            if not steps or self._take(attempt, encrypted, steps):
                return bool(steps)
            # If it was encrypted or enrolled again since it was read, the new one decides.
            before, encrypted = encrypted, self._encrypted(attempt, anew=True)
            if encrypted == before:
                if self._is_elsewhere(attempt):
                    self._tell(attempt, "totp-replayed")
                return False
        return False

    def _take(self, attempt: Attempt, encrypted: str, steps: list[int]) -> bool:
        place = place_of(self.parts.keyring, attempt)
        use = {"encrypted": encrypted, "now": attempt.now, **place}
        mine = {"account": attempt.account.id, **use}
        return any(TAKE_STEP(attempt.session, {**mine, "step": s}).rowcount for s in steps)

    def _last_use(self, attempt: Attempt) -> Any:
        return LAST_USE(attempt.session, {"account": attempt.account.id}).first()

    def _is_elsewhere(self, attempt: Attempt) -> bool:
        """Whether the last step was used from another address or in another sign-in.

        False when the place of that use is unknown, as it may be after an enrolment.
        """
        last = self._last_use(attempt)
        if last.last_address is None:
            return False
        if last.last_address != attempt.address:
            return True
        if last.last_sign_in is None or not attempt.sign_in:
            return (last.last_sign_in or "") != attempt.sign_in
        return not self.parts.keyring.matches(last.last_sign_in, SIGN_IN, attempt.sign_in)

    def _verify_backup(self, attempt: Attempt, code: str) -> bool:
        account, encrypted = attempt.account, self._encrypted(attempt)
        if encrypted is None:
            return False
        secret, hashed = self._decrypt(attempt, encrypted), hashlib.sha256(code.encode())
        either = {
            "burnt": backup_digest(secret, account.id, code),
            "burnt_arrived": arrived_digest(secret, account.id, hashed.hexdigest()),
        }
        if not BURN(attempt.session, {"account": account.id, **either}).rowcount:
            return False
        USED(attempt.session, {"account": account.id, "now": attempt.now})
        self._tell(
            attempt, "backup-code-used", left=count_backup_codes(attempt.session, account.id)
        )
        return True

    def _tell(self, attempt: Attempt, kind: str, **facts: int) -> None:
        account, now = attempt.account, attempt.now
        self.parts.mail_owner(attempt.session, kind, account, now=now, place=attempt, **facts)


def count_backup_codes(session: Session, account_id: str) -> int:
    """How many unused backup codes the account has left."""
    return session.scalar(LEFT, {"account": account_id}) or 0
