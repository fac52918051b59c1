"""What a proof leaves behind: audit rows, mails to the owner, signals to the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from e2ereset.errors import Refusal, TooManyAttempts, TooManyRequests
from e2ereset.parts import Parts
from e2ereset.records import Action, ActionRequest
from e2ereset.signals import budget_spent, refused

from .budgets import Budgets, charge_in

WARNINGS = {
    "budget-exhausted": ((3600, 1), (3600, 1), (86400, 24)),  # one mail an hour
    "factor-locked": ((86400, 1), (86400, 1), (86400, 1)),
}
LONGEST_PURPOSE = 255
LOCKED = "lock-factor"
"""The action of the audit row that says that a method was locked."""


class Traces:
    """Writes them into the transaction of what they tell of, or into one of their own."""

    def __init__(self, parts: Parts, budgets: Budgets, *, methods: tuple[str, ...]) -> None:
        self._parts = parts
        self._budgets = budgets
        self._methods = methods

    def note_refusal(self, asked: ActionRequest, refusal: Refusal) -> None:
        """Keep the trace of a refusal that came before any proof was asked for.

        Of those for their rate, one for each account, route and window of time.
        """
        with self._parts.transactions.begin() as session:
            if isinstance(refusal, TooManyRequests) and not is_first(session, asked, refusal):
                return
            named = asked.proof.method
            # The header is any text of a stranger: only a method that there is goes into the log.
            known = named if named in self._methods else ""
            self.refused(session, asked, refusal, known or "")

    def refused_at_the_gate(self, asked: ActionRequest, refusal: Refusal) -> None:
        """Keep the trace of a refusal instead of a proof, and count it."""
        method = str(refusal.details.get("method", ""))
        self._parts.meter.second_factor(method, refusal.code)
        with self._parts.transactions.begin() as session:
            self.refused(session, asked, refusal, method)
            if isinstance(refusal, TooManyAttempts):
                self.spent(session, asked, method, locked=refusal.locked)

    def warn_spent(self, asked: ActionRequest, method: str) -> None:
        """Mail the owner that a budget of tries is spent, once an hour at most."""
        with self._parts.transactions.begin() as session:
            self.spent(session, asked, method)

    def tell_locked(self, asked: ActionRequest, method: str) -> None:
        """Write down, and mail the owner, that the tries at this method are locked."""
        with self._parts.transactions.begin() as session:
            self.locked(session, asked, method)

    def record(self, session: Session, asked: ActionRequest, outcome: str, method: str) -> None:
        """Write the audit row of a request."""
        self._parts.audit.write_request(session, asked, outcome, method=method)

    def refused(
        self, session: Session, asked: ActionRequest, refusal: Refusal, method: str
    ) -> None:
        """Write the audit row of a refusal, and tell the host."""
        self.record(session, asked, refusal.code, method)
        self._parts.announcer.later(
            session,
            refused,
            account=asked.caller.account,
            action=asked.action.name,
            target=asked.action.target,
            method=method,
            code=refusal.code,
        )

    def locked(self, session: Session, asked: ActionRequest, method: str) -> None:
        """Write down, and tell the owner, that a hundred tries in a row have locked the method."""
        action = Action(name=LOCKED, target=asked.caller.account.id)
        self.record(session, replace(asked, action=action), "locked", method)
        self.spent(session, asked, method, locked=True)

    def spent(
        self, session: Session, asked: ActionRequest, method: str, *, locked: bool = False
    ) -> None:
        """Tell the owner and the host that tries are spent, once an hour at most.

        That they are `locked` is told once a day for each method.
        """
        account, caller, now = asked.caller.account, asked.caller, asked.now
        kind = "factor-locked" if locked else "budget-exhausted"
        purpose = f"mail:{kind}:{method}" if locked else f"mail:{kind}"
        windows = WARNINGS[kind]
        if not self._budgets.charge_in(session, account.id, purpose, windows=windows, now=now):
            return
        facts: Mapping[str, Any] = {
            "username": account.username,
            "method": method,
            "at": now,
            "address": caller.address,
            "agent": caller.agent,
        }
        self._parts.jobs.put(session, kind, facts, recipients=account.emails, now=now)
        announcer = self._parts.announcer
        announcer.later(session, budget_spent, account=account, method=method, locked=locked)


def is_first(session: Session, asked: ActionRequest, refusal: TooManyRequests) -> bool:
    """Whether no other of this account and route was refused in the same window of time."""
    windows = ((refusal.window, 1),) * 3
    purpose = f"audit:rate {refusal.route}"[:LONGEST_PURPOSE]
    account_id, now = asked.caller.account.id, asked.now
    return charge_in(session, account_id, purpose, windows=windows, now=now) is not None
