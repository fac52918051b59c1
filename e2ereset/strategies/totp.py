"""Time-based one-time passwords (RFC 6238) and backup codes."""

from __future__ import annotations

import hmac

import pyotp
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.models import BackupCode, Totp, table
from e2ereset.records import Attempt
from e2ereset.sql import run

from .base import Strategy

STEP_SECONDS = 30
DIGITS = 6
BACKUP_LENGTH = 8

TOTPS, BACKUPS = table(Totp), table(BackupCode)
SECRET = select(TOTPS.c.secret).where(
    TOTPS.c.account_id == bindparam("account"), TOTPS.c.enabled_at.is_not(None)
)
TAKE_STEP = (
    update(TOTPS)
    .where(
        TOTPS.c.account_id == bindparam("account"),
        TOTPS.c.secret == bindparam("sealed"),
        TOTPS.c.last_step < bindparam("step"),
    )
    .values(last_step=bindparam("step"))
)
BURN = delete(BACKUPS).where(
    BACKUPS.c.account_id == bindparam("account"),
    BACKUPS.c.digest.in_(bindparam("digests", expanding=True)),
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


def backup_digests(keyring: KeyRing, account_id: str, code: str) -> list[str]:
    """What the stored digest of a backup code may be, one for each secret key."""
    return keyring.digests("backup code", account_id, code.upper())


class TotpStrategy(Strategy):
    """Six digits, 30 seconds, SHA-1. A step passes once, and never after a later one."""

    name = "totp"

    def usable(self, attempt: Attempt) -> bool:
        """Whether an enrolment has been confirmed."""
        return self._sealed(attempt) is not None

    def verify(self, attempt: Attempt, code: str) -> bool:
        """Whether it is a fresh code, or an unused backup code; burns what it accepts."""
        code = code.strip()
        if len(code) == BACKUP_LENGTH:
            return self._verify_backup(attempt, code)
        if len(code) != DIGITS or not code.isascii() or not code.isdigit():
            return False
        return self._verify_step(attempt, code)

    def _sealed(self, attempt: Attempt) -> str | None:
        return run(attempt.session, SECRET, {"account": attempt.account.id}).scalar()

    def _verify_step(self, attempt: Attempt, code: str) -> bool:
        account = attempt.account
        sealed = self._sealed(attempt)
        if sealed is None:
            return False
        secret = self.tools.keyring.open("totp", account.id, sealed)
        window = self.tools.settings.totp_window
        steps = matching_steps(secret, code, now=attempt.now, window=window)
        for step in steps:
            taken = {"account": account.id, "sealed": sealed, "step": step}
            if run(attempt.session, TAKE_STEP, taken).rowcount:
                return True
        if steps:
            self._tell(attempt, "totp-replayed")
        return False

    def _verify_backup(self, attempt: Attempt, code: str) -> bool:
        account = attempt.account
        if not self.usable(attempt):
            return False
        digests = backup_digests(self.tools.keyring, account.id, code)
        burn = {"account": account.id, "digests": digests}
        if not run(attempt.session, BURN, burn).rowcount:
            return False
        left = count_backup_codes(attempt.session, account.id)
        self._tell(attempt, "backup-code-used", left=left)
        return True

    def _tell(self, attempt: Attempt, kind: str, **facts: int) -> None:
        account = attempt.account
        facts_of_all = {"username": account.username, "at": attempt.now, **facts}
        facts_of_all |= {"address": attempt.address, "agent": attempt.agent}
        self.tools.outbox.put(attempt.session, kind, account.emails, facts_of_all, now=attempt.now)


def count_backup_codes(session: Session, account_id: str) -> int:
    """How many unused backup codes the account has left."""
    return session.scalar(LEFT, {"account": account_id}) or 0
