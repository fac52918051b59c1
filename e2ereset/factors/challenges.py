"""Challenges: started within the budgets of what is sent, and what a client is told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from e2ereset.errors import TooManyAttempts
from e2ereset.parts import Parts
from e2ereset.records import ActionRequest, Attempt, Challenge

from .budgets import Budgets, locks
from .strategies.base import Strategy
from .strategies.checks import is_usable


class Challenges:
    """Starts and describes the challenges of the strategies."""

    def __init__(self, parts: Parts, strategies: tuple[Strategy, ...], budgets: Budgets) -> None:
        self._settings = parts.settings
        self._transactions = parts.transactions
        self.strategies = strategies
        self._budgets = budgets

    def has(self, method: str) -> bool:
        """Whether the configuration names this method."""
        return any(strategy.name == method for strategy in self.strategies)

    def resend(self, attempt: Attempt, method: str, *, by_owner: bool) -> bool:
        """Send a fresh challenge in the place of a pending one, within the budgets.

        Where it is not the owner who asks, beside the pending one, on a budget of its own. False
        when the account has the method no more, its tries are spent, or nothing was sent.
        `attempt.session` is only read. Raises TooManyAttempts when the sending budget is spent.
        """
        strategy = next(s for s in self.strategies if s.name == method)
        spent = self._refusal(attempt.account.id, method, attempt.now)
        if spent or not is_usable(strategy, attempt):
            return False
        attempt.session.rollback()
        if by_owner:
            return self._send(attempt, strategy) is not None
        windows = self._settings.asked_windows
        self._budgets.charge(attempt.account.id, f"asked:{method}", windows, attempt.now)
        with self._transactions.begin() as session:
            return strategy.another(replace(attempt, session=session)) is not None

    def start(self, asked: ActionRequest, strategy: Strategy) -> dict[str, Any]:
        """Start a challenge where none is pending; what the client is told of it."""
        self._refuse_spent(asked, strategy)
        with self._transactions.read() as session:
            attempt = attempt_of(asked, session)
            pending = strategy.pending(attempt)
            session.rollback()  # gives its connection back before the write takes one
            if pending is None:
                pending = self._send_or_find(attempt, asked, strategy)
            return self.details(session, asked, strategy, pending)

    def _send_or_find(
        self, attempt: Attempt, asked: ActionRequest, strategy: Strategy
    ) -> Challenge:
        try:
            return self._send(attempt, strategy)
        except TooManyAttempts as refusal:
            # Of two requests at once one sends; the other finds what that one has sent.
            pending = strategy.pending(attempt)
            if pending is None:
                details = self.details(attempt.session, asked, strategy)
                raise TooManyAttempts(refusal.retry_after, **details) from None
            return pending

    def _refuse_spent(self, asked: ActionRequest, strategy: Strategy) -> None:
        """No challenge while no answer to it would be looked at."""
        spent = self._refusal(asked.caller.account.id, strategy.name, asked.now)
        if spent:
            raise TooManyAttempts(spent.retry_after, **self.told(asked, strategy))

    def _refusal(self, account_id: str, method: str, now: int) -> TooManyAttempts | None:
        windows = self._settings.verify_windows
        return self._budgets.refusal(account_id, f"verify:{method}", windows, now)

    def _send(self, attempt: Attempt, strategy: Strategy) -> Challenge:
        if strategy.sends:
            windows = self._settings.send_windows
            self._budgets.charge(attempt.account.id, f"send:{strategy.name}", windows, attempt.now)
        with self._transactions.begin() as session:
            return strategy.challenge(replace(attempt, session=session))

    def told(self, asked: ActionRequest, strategy: Strategy) -> dict[str, Any]:
        """`details`, read in a transaction of its own."""
        with self._transactions.read() as session:
            return self.details(session, asked, strategy)

    def details(
        self,
        session: Session,
        asked: ActionRequest,
        strategy: Strategy,
        challenge: Challenge | None = None,
    ) -> dict[str, Any]:
        """What the client is told: the method, its challenge, and what else there is."""
        attempt = attempt_of(asked, session)
        challenge = challenge or strategy.pending(attempt) or Challenge()
        usable = [s.name for s in self.strategies if not s.fallback and is_usable(s, attempt)]
        locked = locked_names(session, attempt)
        return {
            "method": strategy.name,
            "codeGenerated": challenge.generated,
            **challenge.details,
            "availableMethods": [name for name in usable if name not in locked],
        }


def locked_names(session: Session, attempt: Attempt) -> set[str]:
    """The methods of the account whose tries are locked."""
    return {purpose.partition(":")[2] for purpose in locks(session, attempt.account.id)}


def attempt_of(asked: ActionRequest, session: Session) -> Attempt:
    """What a strategy gets to see of a request."""
    return Attempt(
        account=asked.caller.account,
        action=asked.action,
        now=asked.now,
        session=session,
        address=asked.caller.address,
        agent=asked.caller.agent,
        sign_in=asked.new_sign_in or asked.caller.sign_in,
    )
