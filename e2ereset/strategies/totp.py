"""Time-based one-time passwords (RFC 6238) and backup codes."""

from __future__ import annotations

import hmac

import pyotp
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from e2ereset.crypto import digest_under
from e2ereset.models import BackupCode, Totp, table
from e2ereset.records import Attempt
from e2ereset.sql import run
from e2ereset.stored import Sealed

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


def backup_digest(secret: str, account_id: str, code: str) -> str:
    """What is stored of a backup code: a digest under the TOTP secret it stands in for.

    So it outlives every secret key, under which it could not be made again without the code.
    """
    return digest_under(secret, "backup code", account_id, code.upper())


class TotpStrategy(Strategy):
    """Six digits, 30 seconds, SHA-1. A step passes once, and never after a later one."""

    name = "totp"
    seals = (Sealed(TOTPS.c.secret, "totp"), Sealed(TOTPS.c.pending_secret, "totp"))

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

    def _open(self, attempt: Attempt, sealed: str) -> str:
        return self.tools.keyring.open("totp", attempt.account.id, sealed)

    def _verify_step(self, attempt: Attempt, code: str) -> bool:
        sealed, window = self._sealed(attempt), self.tools.settings.totp_window
        while sealed is not None:
            secret = self._open(attempt, sealed)
            steps = matching_steps(secret, code, now=attempt.now, window=window)
            if not steps or self._take(attempt, sealed, steps):
                return bool(steps)
            # Sealed again, or enrolled again, since it was read: what is there now decides.
            before, sealed = sealed, self._sealed(attempt)
            if sealed == before:
                self._tell(attempt, "totp-replayed")
                return False
        return False

    def _take(self, attempt: Attempt, sealed: str, steps: list[int]) -> bool:
        mine = {"account": attempt.account.id, "sealed": sealed}
        return any(run(attempt.session, TAKE_STEP, {**mine, "step": s}).rowcount for s in steps)

    def _verify_backup(self, attempt: Attempt, code: str) -> bool:
        account, sealed = attempt.account, self._sealed(attempt)
        if sealed is None:
            return False
        digest = backup_digest(self._open(attempt, sealed), account.id, code)
        if not run(attempt.session, BURN, {"account": account.id, "burnt": digest}).rowcount:
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
