"""Reports of tries and refusals: audit rows, mails to the owner, signals to the host."""

from dataclasses import replace

from blinker import NamedSignal
from sqlalchemy.orm import Session

from e2ereset.errors import Refusal, TooManyAttempts, TooManyRequests
from e2ereset.parts import Parts
from e2ereset.records import Action, ActionRequest
from e2ereset.signals import budget_spent, factor_used, refused

from .budgets import Budgets, Charge

WARNINGS = {
    "budget-exhausted": ((3600, 1), (3600, 1), (86400, 24)),  # one mail an hour
    "factor-locked": ((86400, 1), (86400, 1), (86400, 1)),
}
LONGEST_PURPOSE = 255
LOCKED = "lock-factor"
"""The action of the audit row that says that a method was locked."""


class Traces:
    """Reports tries and refusals, in the transaction of the action or in a separate one."""

    def __init__(self, parts: Parts, budgets: Budgets, *, methods: tuple[str, ...]) -> None:
        self._parts = parts
        self._budgets = budgets
        self._methods = frozenset(methods)

    def note_refusal(self, asked: ActionRequest, refusal: Refusal) -> None:
        """Report a refusal that came before any proof was asked for.

        Refusals for the request rate are reported once for each account, route and window.
        """
        with self._parts.transactions.begin() as session:
            if isinstance(refusal, TooManyRequests) and not self._is_first(session, asked, refusal):
                return
            # A stranger may write any text into the header: only a configured method is logged.
            named = asked.proof.method or ""
            self.refused(session, asked, refusal, named if named in self._methods else "")

    def refused_at_the_gate(self, asked: ActionRequest, refusal: Refusal) -> None:
        """Report a refusal that came before the proof was checked, and count it."""
        method = str(refusal.details.get("method", ""))
        self._parts.meter.second_factor(method, refusal.code)
        with self._parts.transactions.begin() as session:
            self.refused(session, asked, refusal, method)
            if isinstance(refusal, TooManyAttempts):
                self.spent(session, asked, method, locked=refusal.locked)

    def warn_spent(self, asked: ActionRequest, method: str) -> None:
        """`spent`, in a separate transaction."""
        with self._parts.transactions.begin() as session:
            self.spent(session, asked, method)

    def tell_locked(self, asked: ActionRequest, method: str) -> None:
        """`locked`, in a separate transaction."""
        with self._parts.transactions.begin() as session:
            self.locked(session, asked, method)

    def record(self, session: Session, asked: ActionRequest, outcome: str, method: str) -> None:
        """Write the audit row of a request."""
        self._parts.audit.write_request(session, asked, outcome, method=method)

    def refused(
        self, session: Session, asked: ActionRequest, refusal: Refusal, method: str
    ) -> None:
        """Write the audit row of a refusal, and signal it to the host."""
        self.record(session, asked, refusal.code, method)
        self._tell(session, refused, asked, method, code=refusal.code)

    def used(self, session: Session, asked: ActionRequest, method: str) -> None:
        """Signal to the host that this method proved the action, also where that is refused."""
        self._tell(session, factor_used, asked, method)

    def failed(self, session: Session, asked: ActionRequest, method: str, charge: Charge) -> None:
        """Report a wrong code, where its try was the last one or locked the method."""
        if charge.locks:
            self.locked(session, asked, method)
        elif charge.last:
            self.spent(session, asked, method)

    def locked(self, session: Session, asked: ActionRequest, method: str) -> None:
        """Report that a hundred failures in a row locked the method: audit row, mail, signal."""
        action = Action(name=LOCKED, target=asked.caller.account.id)
        self.record(session, replace(asked, action=action), "locked", method)
        self.spent(session, asked, method, locked=True)

    def spent(
        self, session: Session, asked: ActionRequest, method: str, *, locked: bool = False
    ) -> None:
        """Mail the owner, and signal to the host, that the tries are spent: once an hour at most.

        With `locked`: that the method is locked, once a day for each method.
        """
        account, now = asked.caller.account, asked.now
        kind = "factor-locked" if locked else "budget-exhausted"
        purpose = f"mail:{kind}:{method}" if locked else f"mail:{kind}"
        windows = WARNINGS[kind]
        if not self._budgets.charge_in(session, account.id, purpose, windows=windows, now=now):
            return
        self._parts.mail_owner(session, kind, account, now=now, place=asked.caller, method=method)
        announcer = self._parts.announcer
        announcer.later(session, budget_spent, account=account, method=method, locked=locked)

    def _tell(
        self,
        session: Session,
        signal: NamedSignal,
        asked: ActionRequest,
        method: str,
        **facts: str,
    ) -> None:
        self._parts.announcer.later(
            session,
            signal,
            account=asked.caller.account,
            action=asked.action.name,
            target=asked.action.target,
            method=method,
            **facts,
        )

    def _is_first(self, session: Session, asked: ActionRequest, refusal: TooManyRequests) -> bool:
        """Whether it is the first such refusal of this account and route in this window."""
        windows = ((refusal.window, 1),) * 3
        purpose = f"audit:rate@{refusal.route}"[:LONGEST_PURPOSE]
        account_id, now = asked.caller.account.id, asked.now
        charge = self._budgets.charge_in(session, account_id, purpose, windows=windows, now=now)
        return charge is not None
