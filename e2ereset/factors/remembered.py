"""Proofs that are remembered for a while, by the actions that allow it. A reset never does.

The host keeps one mark beside the sign-in. It is a keyed digest of the sign-in, the caller's
address and program, and the factors and addresses of the account: so a change of any of them makes
it void, whoever changes it. Of a password nothing is known here: who changes it deletes the mark.
"""

import json
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from e2ereset.parts import Parts
from e2ereset.ports import RemembersProofs
from e2ereset.records import ActionRequest
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table

from .challenges import attempt_of
from .models import BackupCode, EmailFactor, Passkey, Totp
from .strategies.base import Strategy
from .strategies.checks import is_usable

TOTP, EMAIL, CODES = table(Totp), table(EmailFactor), table(BackupCode)
PASSKEYS = table(Passkey)
OWNER: Any = bindparam("account")
FACTORS = Statement(
    select(
        select(TOTP.c.secret).where(TOTP.c.account_id == OWNER).scalar_subquery().label("totp"),
        select(TOTP.c.enabled_at).where(TOTP.c.account_id == OWNER).scalar_subquery().label("at"),
        select(EMAIL.c.enabled_at).where(EMAIL.c.account_id == OWNER).scalar_subquery().label("by"),
        select(func.count()).where(PASSKEYS.c.account_id == OWNER).scalar_subquery().label("keys"),
        select(func.max(PASSKEYS.c.id)).where(PASSKEYS.c.account_id == OWNER).scalar_subquery(),
        select(func.sum(PASSKEYS.c.created_at))
        .where(PASSKEYS.c.account_id == OWNER)
        .scalar_subquery(),
        # Burnt codes leave it as it was, mostly; new ones never do.
        select(func.max(CODES.c.digest)).where(CODES.c.account_id == OWNER).scalar_subquery(),
    )
)


class Remembered:
    """Remembers proofs where the host's accounts implement RemembersProofs; else none."""

    def __init__(self, parts: Parts, strategies: tuple[Strategy, ...]) -> None:
        accounts = parts.accounts
        self._parts = parts
        self._strategies = strategies
        self._keeper = accounts if isinstance(accounts, RemembersProofs) else None

    def holds(self, session: Session, asked: ActionRequest) -> bool:
        """Whether a remembered proof is enough: not for a request that has a code."""
        keeper, sign_in = self._keeper, asked.caller.sign_in
        if keeper is None or asked.proof.code is not None or not self._may(asked):
            return False
        mark = keeper.remembered_proof(session, sign_in, asked.now)
        return bool(mark) and self._parts.keyring.matches(mark, *self._stands_on(session, asked))

    def keep(self, session: Session, asked: ActionRequest) -> None:
        """Remember the proof of this request, in the transaction of its action."""
        if self._keeper is not None and self._may(asked):
            mark = self._parts.keyring.digest(*self._stands_on(session, asked))
            until = asked.now + self._parts.settings.remember_seconds
            self._keeper.remember_proof(session, asked.caller.sign_in, mark, until)

    def _may(self, asked: ActionRequest) -> bool:
        caller, seconds = asked.caller, self._parts.settings.remember_seconds
        return asked.remembers and bool(seconds and caller.sign_in and caller.address)

    def _stands_on(self, session: Session, asked: ActionRequest) -> tuple[str, ...]:
        caller = asked.caller
        attempt = attempt_of(asked, session)
        attempt.memo.clear()  # what was read before this transaction does not count
        usable = [one.name for one in self._strategies if is_usable(one, attempt)]
        stored = FACTORS(session, {"account": caller.account.id}).first()
        factors = json.dumps([usable, list(stored), sorted(caller.account.emails)])
        return ("remembered proof", caller.sign_in, caller.address, caller.agent, factors)
