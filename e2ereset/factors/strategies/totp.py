"""Time-based one-time passwords (RFC 6238) and backup codes."""

from __future__ import annotations

import hmac
from typing import Any

import pyotp
from sqlalchemy import Row, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing, digest_under
from e2ereset.factors.models import BackupCode, Totp
from e2ereset.records import Attempt
from e2ereset.store.retained import Encrypted
from e2ereset.store.tables import table
from e2ereset.store.transactions import run
from e2ereset.typed import is_digits, plain_code

from .base import Strategy

STEP_SECONDS = 30
DIGITS = 6
BACKUP_LENGTH = 8
SIGN_IN = "sign-in of a step"

TOTPS, BACKUPS = table(Totp), table(BackupCode)
SECRET = select(TOTPS.c.secret).where(
    TOTPS.c.account_id == bindparam("account"), TOTPS.c.enabled_at.is_not(None)
)
TAKE_STEP = (
    update(TOTPS)
    .where(
        TOTPS.c.account_id == bindparam("account"),
        TOTPS.c.secret == bindparam("encrypted"),
        TOTPS.c.last_step < bindparam("step"),
    )
    .values(
        last_step=bindparam("step"),
        last_address=bindparam("from_address"),
        last_sign_in=bindparam("in_sign_in"),
    )
)
LAST_USE = select(TOTPS.c.last_step, TOTPS.c.last_address, TOTPS.c.last_sign_in).where(
    TOTPS.c.account_id == bindparam("account")
)
BURN = delete(BACKUPS).where(
    BACKUPS.c.account_id == bindparam("account"), BACKUPS.c.digest == bindparam("burnt")
)
LEFT = select(func.count()).select_from(BACKUPS).where(BACKUPS.c.account_id == bindparam("account"))


def matching_steps(secret: str, code: str, *, now: int, window: int) -> list[int]:
    """The steps within the window whose code this is: none or, nearly always, one.

    Every step is computed and compared in constant time, whichever matches.
    """
    present = now // STEP_SECONDS
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    steps = range(max(0, present - window), present + window + 1)
    return [s for s in steps if hmac.compare_digest(totp.generate_otp(s), code)]


def place_of(keyring: KeyRing, address: str, sign_in: str) -> dict[str, str | None]:
    """What is stored of where a step was used: of the sign-in, which may be secret, a digest."""
    digest = keyring.digest(SIGN_IN, sign_in) if sign_in else None
    return {"from_address": address, "in_sign_in": digest}


def backup_digest(secret: str, account_id: str, code: str) -> str:
    """What is stored of a backup code: a digest under the TOTP secret it stands in for.

    So it outlives every secret key, under which it could not be made again without the code.
    """
    return digest_under(secret, "backup code", account_id, code.upper())


class TotpStrategy(Strategy):
    """Six digits, 30 seconds, SHA-1. A step passes once, and never after a later one."""

    name = "totp"
    encrypted = (Encrypted(TOTPS.c.secret, "totp"), Encrypted(TOTPS.c.pending_secret, "totp"))

    def usable(self, attempt: Attempt) -> bool:
        """Whether an enrolment has been confirmed."""
        return self._encrypted(attempt) is not None

    def verify(self, attempt: Attempt, code: str) -> bool:
        """Whether it is a fresh code, or an unused backup code; burns what it accepts."""
        code = plain_code(code)
        if len(code) == BACKUP_LENGTH:
            return self._verify_backup(attempt, code)
        return is_digits(code, DIGITS) and self._verify_step(attempt, code)

    def explain(self, attempt: Attempt, code: str) -> dict[str, Any]:
        """That the code's step was used already, and the seconds to the next step.

        Only of what can never pass any more: nothing here tells a guesser what will.
        """
        code, encrypted = plain_code(code), self._encrypted(attempt)
        if encrypted is None or not is_digits(code, DIGITS):
            return {}
        window, secret = self.parts.settings.totp_window, self._decrypt(attempt, encrypted)
        steps = matching_steps(secret, code, now=attempt.now, window=window)
        if not steps or min(steps) > self._last_use(attempt).last_step:
            return {}
        return {"codeReused": True, "retryAfter": STEP_SECONDS - attempt.now % STEP_SECONDS}

    def _encrypted(self, attempt: Attempt) -> str | None:
        return run(attempt.session, SECRET, {"account": attempt.account.id}).scalar()

    def _decrypt(self, attempt: Attempt, encrypted: str) -> str:
        return self.parts.keyring.decrypt("totp", attempt.account.id, encrypted)

    def _verify_step(self, attempt: Attempt, code: str) -> bool:
        encrypted, window = self._encrypted(attempt), self.parts.settings.totp_window
        while encrypted is not None:
            secret = self._decrypt(attempt, encrypted)
            steps = matching_steps(secret, code, now=attempt.now, window=window)
            if not steps or self._take(attempt, encrypted, steps):
                return bool(steps)
            # Encrypted again, or enrolled again, since it was read: what is there now decides.
            before, encrypted = encrypted, self._encrypted(attempt)
            if encrypted == before:
                if self._is_elsewhere(attempt):
                    self._tell(attempt, "totp-replayed")
                return False
        return False

    def _take(self, attempt: Attempt, encrypted: str, steps: list[int]) -> bool:
        place = place_of(self.parts.keyring, attempt.address, attempt.sign_in)
        mine = {"account": attempt.account.id, "encrypted": encrypted, **place}
        return any(run(attempt.session, TAKE_STEP, {**mine, "step": s}).rowcount for s in steps)

    def _last_use(self, attempt: Attempt) -> Row[Any]:
        return run(attempt.session, LAST_USE, {"account": attempt.account.id}).one()

    def _is_elsewhere(self, attempt: Attempt) -> bool:
        """Whether this is another address or sign-in than where the last step was used.

        Nobody knows where a step was used that confirmed an enrolment: then it is not.
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
        digest = backup_digest(self._decrypt(attempt, encrypted), account.id, code)
        if not run(attempt.session, BURN, {"account": account.id, "burnt": digest}).rowcount:
            return False
        left = count_backup_codes(attempt.session, account.id)
        self._tell(attempt, "backup-code-used", left=left)
        return True

    def _tell(self, attempt: Attempt, kind: str, **facts: int) -> None:
        account = attempt.account
        facts_of_all = {"username": account.username, "at": attempt.now, **facts}
        facts_of_all |= {"address": attempt.address, "agent": attempt.agent}
        self.parts.jobs.put(
            attempt.session, kind, facts_of_all, recipients=account.emails, now=attempt.now
        )


def count_backup_codes(session: Session, account_id: str) -> int:
    """How many unused backup codes the account has left."""
    return session.scalar(LEFT, {"account": account_id}) or 0
