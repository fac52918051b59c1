"""Codes by mail: bound to the action and its target, one live per account and action."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Executable, bindparam, delete, select, update

from e2ereset.models import EmailChallenge, EmailFactor, table
from e2ereset.ports import HoldsSessions
from e2ereset.records import Attempt, Challenge, iso
from e2ereset.sql import Inserts, PerDialect, run
from e2ereset.typed import is_digits, plain_code

from .base import Strategy

FACTORS, CHALLENGES = table(EmailFactor), table(EmailChallenge)
ENABLED = select(FACTORS.c.account_id).where(FACTORS.c.account_id == bindparam("account"))
MINE = (
    CHALLENGES.c.account_id == bindparam("account"),
    CHALLENGES.c.action == bindparam("for_action"),
)
LIVE = (
    *MINE,
    CHALLENGES.c.target == bindparam("at_target"),
    CHALLENGES.c.expires_at > bindparam("now"),
    CHALLENGES.c.tries < bindparam("most"),
)
PENDING = select(CHALLENGES.c.expires_at).where(*LIVE)
COUNT_TRY = update(CHALLENGES).where(*LIVE).values(tries=CHALLENGES.c.tries + 1)
BURN = delete(CHALLENGES).where(
    *MINE, CHALLENGES.c.digest.in_(bindparam("digests", expanding=True))
)


@PerDialect
def REPLACE(insert: Inserts) -> Executable:
    """Store a new code in the place of the old one, whatever that was for."""
    statement = insert(CHALLENGES)
    fresh = {c.name: statement.excluded[c.name] for c in CHALLENGES.c if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=list(CHALLENGES.primary_key), set_=fresh)


class EmailStrategy(Strategy):
    """A mailed code of digits; a new one replaces the old one."""

    name = "email"
    sends = True

    def usable(self, attempt: Attempt) -> bool:
        """Whether the method is enabled and there is a verified address to mail to."""
        if not attempt.account.emails:
            return False
        return run(attempt.session, ENABLED, {"account": attempt.account.id}).first() is not None

    def pending(self, attempt: Attempt) -> Challenge | None:
        """The live code of exactly this action and target."""
        expires = run(attempt.session, PENDING, self._live(attempt)).scalar()
        return None if expires is None else self._challenge(attempt, expires, generated=False)

    def challenge(self, attempt: Attempt) -> Challenge:
        """Make a code, store its digest, queue its mail, all in the same transaction."""
        settings, account = self.tools.settings, attempt.account
        number = self.tools.entropy.randbelow(10**settings.email_code_digits)
        code = f"{number:0{settings.email_code_digits}d}"
        expires = attempt.now + settings.email_code_seconds
        self._store(attempt, code, expires)
        half = len(code) // 2
        facts = {
            "username": account.username,
            "phrase": attempt.action.phrase,
            "action": attempt.action.name,
            "signs_out": isinstance(self.tools.accounts, HoldsSessions),
            "code": f"{code[:half]}-{code[half:]}",
            "expires_at": expires,
            "address": attempt.address,
            "agent": attempt.agent,
        }
        self.tools.outbox.put(
            attempt.session, "code", account.emails, facts, now=attempt.now, expires_at=expires
        )
        return self._challenge(attempt, expires, generated=True)

    def verify(self, attempt: Attempt, code: str) -> bool:
        """Whether it is the live code of this action and target; counted before it is compared."""
        digits = plain_code(code)
        if not is_digits(digits):
            return False
        if not run(attempt.session, COUNT_TRY, self._live(attempt)).rowcount:
            return False
        burn = {
            "account": attempt.account.id,
            "for_action": attempt.action.name,
            "digests": self.tools.keyring.digests(*self._bound(attempt, digits)),
        }
        return run(attempt.session, BURN, burn).rowcount == 1

    def _live(self, attempt: Attempt) -> dict[str, Any]:
        return {
            "account": attempt.account.id,
            "for_action": attempt.action.name,
            "at_target": attempt.action.target,
            "now": attempt.now,
            "most": self.tools.settings.email_code_tries,
        }

    def _store(self, attempt: Attempt, code: str, expires: int) -> None:
        row = {
            "account_id": attempt.account.id,
            "action": attempt.action.name,
            "target": attempt.action.target,
            "phrase": attempt.action.phrase,
            "digest": self.tools.keyring.digest(*self._bound(attempt, code)),
            "tries": 0,
            "sent_at": attempt.now,
            "expires_at": expires,
        }
        REPLACE(attempt.session, row)

    @staticmethod
    def _bound(attempt: Attempt, code: str) -> tuple[str, ...]:
        return ("email code", attempt.account.id, attempt.action.name, attempt.action.target, code)

    @staticmethod
    def _challenge(attempt: Attempt, expires: int, *, generated: bool) -> Challenge:
        details = {
            "codeCount": 1,
            "codeExpires": [iso(expires)],
            "emailOrUsername": attempt.account.username,
        }
        return Challenge(generated=generated, details=details)
