"""Mailed codes, bound to an action and its target. Each account has one live code per action.

If a stranger asks for a code, a second one is live beside the first: so a stranger cannot
invalidate the code that the owner has.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import and_, bindparam, or_, update

from e2ereset.factors.models import EmailChallenge, EmailFactor
from e2ereset.ports import HoldsSessions
from e2ereset.records import Attempt, Challenge, iso
from e2ereset.store.statements import Inserts, Statement
from e2ereset.store.tables import table
from e2ereset.store.transactions import run
from e2ereset.typed import is_digits, plain_code

from .base import Strategy, counting

FACTORS, CHALLENGES = table(EmailFactor), table(EmailChallenge)
FACTOR_OF_MINE = FACTORS.c.account_id == bindparam("account")
COUNTS = or_(FACTORS.c.counts_from.is_(None), FACTORS.c.counts_from <= bindparam("counting"))
ENABLED = Statement(sa.select(FACTORS.c.account_id).where(FACTOR_OF_MINE, COUNTS))
USED = Statement(update(FACTORS).where(FACTOR_OF_MINE).values(used_at=bindparam("now")))
MINE = (
    CHALLENGES.c.account_id == bindparam("account"),
    CHALLENGES.c.action == bindparam("for_action"),
)
NOW = bindparam("now", type_=sa.BigInteger)
FIRST_LIVES = CHALLENGES.c.expires_at > NOW
SECOND_LIVES = sa.func.coalesce(CHALLENGES.c.extra_expires_at, 0) > NOW
ALIVE = and_(or_(FIRST_LIVES, SECOND_LIVES), CHALLENGES.c.tries < bindparam("most"))
LIVE = (*MINE, CHALLENGES.c.target == bindparam("at_target"), ALIVE)
PENDING = sa.select(CHALLENGES.c.expires_at, CHALLENGES.c.extra_expires_at).where(*LIVE)
COUNT_TRY = update(CHALLENGES).where(*LIVE).values(tries=CHALLENGES.c.tries + 1)
DIGESTS: Any = bindparam("digests", expanding=True)
BURN = sa.delete(CHALLENGES).where(
    *MINE,
    or_(
        and_(CHALLENGES.c.digest.in_(DIGESTS), FIRST_LIVES),
        and_(CHALLENGES.c.extra_digest.in_(DIGESTS), SECOND_LIVES),
    ),
)
# Tries count over both codes. If both are live, the new code replaces the second one.
ADD_SECOND = (
    update(CHALLENGES)
    .where(*LIVE)
    .values(
        digest=sa.case((FIRST_LIVES, CHALLENGES.c.digest), else_=CHALLENGES.c.extra_digest),
        expires_at=sa.case(
            (FIRST_LIVES, CHALLENGES.c.expires_at), else_=CHALLENGES.c.extra_expires_at
        ),
        extra_digest=bindparam("new_digest"),
        extra_expires_at=bindparam("until"),
        sent_at=NOW,
    )
)


def _store(*conditions: Any) -> Statement:
    """Store a new code; it replaces a stored one for which these conditions hold."""

    def build(insert: Inserts) -> sa.Executable:
        """The statement of one dialect."""
        statement = insert(CHALLENGES)
        fresh = {c.name: statement.excluded[c.name] for c in CHALLENGES.c if not c.primary_key}
        return statement.on_conflict_do_update(
            index_elements=list(CHALLENGES.primary_key),
            set_=fresh,
            where=and_(*conditions) if conditions else None,
        )

    return Statement(build)


REPLACE = _store()
REPLACE_DEAD = _store(sa.not_(ALIVE))


class EmailStrategy(Strategy):
    """A mailed code of digits. A new one replaces the old one, unless a stranger asked for it."""

    name = "email"
    sends = True

    def usable(self, attempt: Attempt) -> bool:
        """Whether the method is enabled and the account has a verified address."""
        if not attempt.account.emails:
            return False
        mine = {"account": attempt.account.id, "counting": counting(attempt)}
        return bool(ENABLED(attempt.session, mine))

    def pending(self, attempt: Attempt) -> Challenge | None:
        """The live codes of this action and target, described by when they expire."""
        row = run(attempt.session, PENDING, self._live(attempt)).first()
        if row is None:
            return None
        lives = (expires for expires in row if expires is not None and expires > attempt.now)
        return self._challenge(attempt, *lives, generated=False)

    def challenge(self, attempt: Attempt) -> Challenge:
        """Make a code, store its digest and queue its mail, in one transaction."""
        code, expires = self._make_code(), attempt.now + self.parts.settings.email_code_seconds
        REPLACE(attempt.session, self._row(attempt, code, expires))
        self._mail(attempt, code, expires)
        return self._challenge(attempt, expires, generated=True)

    def another(self, attempt: Attempt) -> Challenge | None:
        """Mail a second code beside the live one; a third code replaces the second.

        None when the live code is for another target by now.
        """
        code, expires = self._make_code(), attempt.now + self.parts.settings.email_code_seconds
        row = self._row(attempt, code, expires)
        second = {**self._live(attempt), "new_digest": row["digest"], "until": expires}
        added = (
            run(attempt.session, ADD_SECOND, second).rowcount
            or REPLACE_DEAD(attempt.session, {**row, **self._live(attempt)}).rowcount
            # The owner asked for a code in between.
            or run(attempt.session, ADD_SECOND, second).rowcount
        )
        if not added:
            return None
        self._mail(attempt, code, expires)
        return self._challenge(attempt, expires, generated=True)

    def _make_code(self) -> str:
        digits = self.parts.settings.email_code_digits
        return f"{self.parts.entropy.randbelow(10**digits):0{digits}d}"

    def _mail(self, attempt: Attempt, code: str, expires: int) -> None:
        account, half = attempt.account, len(code) // 2
        self.parts.mail_owner(
            attempt.session,
            "code",
            account,
            now=attempt.now,
            place=attempt,
            expires_at=expires,
            phrase=attempt.action.phrase,
            action=attempt.action.name,
            signs_out=isinstance(self.parts.accounts, HoldsSessions),
            code=f"{code[:half]}-{code[half:]}",
        )

    def verify(self, attempt: Attempt, code: str) -> bool:
        """Whether it is a live code of this action and target. The try is counted first."""
        digits = plain_code(code)
        if not is_digits(digits):
            return False
        if not run(attempt.session, COUNT_TRY, self._live(attempt)).rowcount:
            return False
        burn = {
            "account": attempt.account.id,
            "for_action": attempt.action.name,
            "now": attempt.now,
            "digests": self.parts.keyring.digests(*self._bound(attempt, digits)),
        }
        if run(attempt.session, BURN, burn).rowcount != 1:
            return False
        USED(attempt.session, {"account": attempt.account.id, "now": attempt.now})
        return True

    def _live(self, attempt: Attempt) -> dict[str, Any]:
        return {
            "account": attempt.account.id,
            "for_action": attempt.action.name,
            "at_target": attempt.action.target,
            "now": attempt.now,
            "most": self.parts.settings.email_code_tries,
        }

    def _row(self, attempt: Attempt, code: str, expires: int) -> dict[str, Any]:
        return {
            "account_id": attempt.account.id,
            "action": attempt.action.name,
            "target": attempt.action.target,
            "phrase": attempt.action.phrase,
            "digest": self.parts.keyring.digest(*self._bound(attempt, code)),
            "tries": 0,
            "sent_at": attempt.now,
            "expires_at": expires,
            **dict.fromkeys(("extra_digest", "extra_expires_at")),
        }

    @staticmethod
    def _bound(attempt: Attempt, code: str) -> tuple[str, ...]:
        return ("email code", attempt.account.id, attempt.action.name, attempt.action.target, code)

    @staticmethod
    def _challenge(attempt: Attempt, *expires: int, generated: bool) -> Challenge:
        details = {
            "codeCount": len(expires),
            "codeExpires": [iso(time) for time in expires],
            "emailOrUsername": attempt.account.username,
        }
        return Challenge(generated=generated, details=details)
