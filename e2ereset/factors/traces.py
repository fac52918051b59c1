"""What a proof leaves behind: audit rows, mails to the owner, signals to the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from e2ereset.audit import AuditTrail
from e2ereset.errors import Refusal, TooManyRequests
from e2ereset.jobs import Queue
from e2ereset.records import Action, ActionRequest
from e2ereset.signals import Announcer, budget_spent, refused

from .budgets import Budgets, charge_in

WARNINGS = {
    "budget-exhausted": ((3600, 1), (3600, 1), (86400, 24)),  # one mail an hour
    "factor-locked": ((86400, 1), (86400, 1), (86400, 1)),
}
LONGEST_PURPOSE = 255
LOCKED = "lock-factor"
"""The action of the audit row that says that a method was locked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Writes them into the transaction of what they tell of."""

    audit: AuditTrail
    jobs: Queue
    announcer: Announcer
    budgets: Budgets

    def record(self, session: Session, asked: ActionRequest, outcome: str, method: str) -> None:
        """Write the audit row of a request."""
        self.audit.write_request(session, asked, outcome, method=method)

    def refused(
        self, session: Session, asked: ActionRequest, refusal: Refusal, method: str
    ) -> None:
        """Write the audit row of a refusal, and tell the host."""
        self.record(session, asked, refusal.code, method)
        self.announcer.later(
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
        account, caller = asked.caller.account, asked.caller
        kind = "factor-locked" if locked else "budget-exhausted"
        purpose = f"mail:{kind}:{method}" if locked else f"mail:{kind}"
        windows = WARNINGS[kind]
        if not self.budgets.charge_in(session, account.id, purpose, windows=windows, now=asked.now):
            return
        facts: Mapping[str, Any] = {
            "username": account.username,
            "method": method,
            "at": asked.now,
            "address": caller.address,
            "agent": caller.agent,
        }
        self.jobs.put(session, kind, facts, recipients=account.emails, now=asked.now)
        self.announcer.later(session, budget_spent, account=account, method=method, locked=locked)


def is_first(session: Session, asked: ActionRequest, refusal: TooManyRequests) -> bool:
    """Whether no other of this account and route was refused in the same window of time."""
    windows = ((refusal.window, 1),) * 3
    purpose = f"audit:rate {refusal.route}"[:LONGEST_PURPOSE]
    account_id, now = asked.caller.account.id, asked.now
    return charge_in(session, account_id, purpose, windows=windows, now=now) is not None
