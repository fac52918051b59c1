"""What a proof leaves behind: audit rows, mails to the owner, signals to the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from e2ereset.audit import AuditLog, Entry
from e2ereset.errors import Refusal, TooManyRequests
from e2ereset.jobs.queue import Outbox
from e2ereset.records import Action, Demand
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

    audit: AuditLog
    outbox: Outbox
    announcer: Announcer
    budgets: Budgets

    def record(self, session: Session, demand: Demand, outcome: str, method: str) -> None:
        """Write the audit row of a demand."""
        self.audit.write(session, entry_of(demand, outcome, method))

    def refused(self, session: Session, demand: Demand, refusal: Refusal, method: str) -> None:
        """Write the audit row of a refusal, and tell the host."""
        self.record(session, demand, refusal.code, method)
        self.announcer.later(
            session,
            refused,
            account=demand.caller.account,
            action=demand.action.name,
            target=demand.action.target,
            method=method,
            code=refusal.code,
        )

    def locked(self, session: Session, demand: Demand, method: str) -> None:
        """Write down, and tell the owner, that a hundred tries in a row have locked the method."""
        action = Action(name=LOCKED, target=demand.caller.account.id)
        self.record(session, replace(demand, action=action), "locked", method)
        self.spent(session, demand, method, locked=True)

    def spent(self, session: Session, demand: Demand, method: str, *, locked: bool = False) -> None:
        """Tell the owner and the host that tries are spent, once an hour at most.

        That they are `locked` is told once a day for each method.
        """
        account, caller = demand.caller.account, demand.caller
        kind = "factor-locked" if locked else "budget-exhausted"
        purpose = f"mail:{kind}:{method}" if locked else f"mail:{kind}"
        windows = WARNINGS[kind]
        if not self.budgets.charge_in(
            session, account.id, purpose, windows=windows, now=demand.now
        ):
            return
        facts: Mapping[str, Any] = {
            "username": account.username,
            "method": method,
            "at": demand.now,
            "address": caller.address,
            "agent": caller.agent,
        }
        self.outbox.put(session, kind, account.emails, facts, now=demand.now)
        self.announcer.later(session, budget_spent, account=account, method=method, locked=locked)


def entry_of(demand: Demand, outcome: str, method: str, *, target: str | None = None) -> Entry:
    """The audit entry of a demand that ended in `outcome`."""
    caller = demand.caller
    return Entry(
        at=demand.now,
        action=demand.action.name,
        caller=caller.account.id,
        target=demand.action.target if target is None else target,
        method=method,
        address=caller.address,
        agent=caller.agent,
        outcome=outcome,
    )


def is_first(session: Session, demand: Demand, refusal: TooManyRequests) -> bool:
    """Whether no other of this account and route was refused in the same window of time."""
    windows = ((refusal.window, 1),) * 3
    purpose = f"audit:rate {refusal.route}"[:LONGEST_PURPOSE]
    account_id, now = demand.caller.account.id, demand.now
    return charge_in(session, account_id, purpose, windows=windows, now=now) is not None
