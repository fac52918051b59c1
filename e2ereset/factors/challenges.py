"""Challenges: starts them within the sending budgets, and describes them to the client."""

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
        self._parts = parts
        self.strategies = strategies
        self._budgets = budgets

    def proper(self, *, on_page: bool) -> list[Strategy]:
        """The strategies but the fallbacks, in the order in which they are asked for.

        Those that need a page come last for a request that is no page's.
        """
        proper = [s for s in self.strategies if not s.fallback]
        return proper if on_page else sorted(proper, key=lambda s: s.on_page)

    def available(self, attempt: Attempt) -> list[Strategy]:
        """The strategies that the account can use now: no fallback, and not locked."""
        purposes = locks(attempt.session, attempt.account.id)
        locked = {purpose.partition(":")[2] for purpose in purposes}
        proper = self.proper(on_page=attempt.typed is not None)
        usable = [s for s in proper if is_usable(s, attempt)]
        return [s for s in usable if s.name not in locked]

    def resend(self, attempt: Attempt, method: str, *, by_owner: bool) -> bool:
        """Send a fresh challenge for the action that waits for one, within the budgets.

        It replaces the pending one when the owner asks. When a stranger asks, it is sent beside the
        pending one, on a budget of its own. False when the account cannot use the method, its tries
        are spent, or nothing was sent. `attempt.session` is only read. Raises TooManyAttempts when
        the sending budget is spent.
        """
        strategy = next((s for s in self.strategies if s.name == method), None)
        if strategy is None or self._refusal(attempt, method) or not is_usable(strategy, attempt):
            return False
        if by_owner:
            return self._send(attempt, strategy) is not None
        attempt.session.rollback()  # gives its connection back before the write takes one
        windows = self._parts.settings.asked_windows
        self._budgets.charge(attempt.account.id, f"asked:{method}", windows, attempt.now)
        with self._parts.transactions.begin() as session:
            return strategy.another(replace(attempt, session=session)) is not None

    def start(self, attempt: Attempt, strategy: Strategy) -> dict[str, Any]:
        """Start a challenge unless one is pending; the `details` for the client.

        `attempt.session` is only read. Raises TooManyAttempts when the budget of tries or of sends
        is spent.
        """
        # An answer to the challenge would be refused: none is sent.
        if spent := self._refusal(attempt, strategy.name):
            raise spent
        challenge = strategy.pending(attempt)
        if challenge is None:
            challenge = self._send_or_find(attempt, strategy)
        return self.details(attempt, strategy, challenge)

    def _send_or_find(self, attempt: Attempt, strategy: Strategy) -> Challenge:
        try:
            return self._send(attempt, strategy)
        except TooManyAttempts:
            # Of two requests at once one sends; the other finds the challenge that was sent.
            pending = strategy.pending(attempt)
            if pending is None:
                raise
            return pending

    def _refusal(self, attempt: Attempt, method: str) -> TooManyAttempts | None:
        account_id, windows = attempt.account.id, self._parts.settings.verify_windows
        return self._budgets.refusal_in(
            attempt.session, account_id, f"verify:{method}", windows=windows, now=attempt.now
        )

    def _send(self, attempt: Attempt, strategy: Strategy) -> Challenge:
        attempt.session.rollback()  # gives its connection back before the write takes one
        if strategy.sends:
            windows = self._parts.settings.send_windows
            self._budgets.charge(attempt.account.id, f"send:{strategy.name}", windows, attempt.now)
        with self._parts.transactions.begin() as session:
            return strategy.challenge(replace(attempt, session=session))

    def details(
        self, attempt: Attempt, strategy: Strategy, challenge: Challenge | None = None
    ) -> dict[str, Any]:
        """The `details` for the client: the method, its challenge, and the usable methods."""
        challenge = challenge or strategy.pending(attempt) or Challenge()
        return {
            "method": strategy.name,
            "codeGenerated": challenge.generated,
            **challenge.details,
            "availableMethods": [s.name for s in self.available(attempt)],
        }


def attempt_of(asked: ActionRequest, session: Session) -> Attempt:
    """The part of a request that a strategy may see."""
    return Attempt(
        account=asked.caller.account,
        action=asked.action,
        now=asked.now,
        session=session,
        address=asked.caller.address,
        agent=asked.caller.agent,
        sign_in=asked.new_sign_in or asked.caller.sign_in,
        # What guards an enrolment is all that the account has, however young it is.
        signed_in_at=None if asked.enrols or asked.itself else asked.caller.signed_in_at,
        typed=asked.proof.typed,
        memo=asked.memo,
    )
