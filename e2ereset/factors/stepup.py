"""The one place that all proofs pass: choose the method, charge, verify, refund.

The order is what makes it safe. A try is charged and committed before the code is looked at; the
code is burnt in the transaction of the action that it allows; only then is the charge taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sqlalchemy.orm import Session

from e2ereset.audit import AuditTrail
from e2ereset.errors import (
    Busy,
    FactorInvalid,
    FactorRequired,
    NoFactor,
    Refusal,
    TooManyAttempts,
    TooManyRequests,
)
from e2ereset.jobs import Queue
from e2ereset.metrics.meter import UNCOUNTED, Meter
from e2ereset.ports import Accounts
from e2ereset.records import BYPASS, OFF, ActionRequest, Attempt, Caller
from e2ereset.settings import Settings
from e2ereset.signals import Announcer
from e2ereset.store.transactions import Transactions

from .budgets import Budgets, Charge
from .challenges import Challenges, attempt_of, locked_names
from .rechecks import Rechecks
from .strategies.base import Strategy
from .strategies.checks import is_true, is_usable
from .traces import Traces, is_first

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """The open transaction of an action whose proof was right, and the method that proved it.

    `method` is empty where the account has none and needs none, `bypass` for a token that skips
    the proof, `off` where the workspace does not check. `caller` is as of this transaction: the
    roles that a permission rests on are those of now.
    """

    session: Session
    method: str
    caller: Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A try that may be looked at. Strategy and charge are None where no proof is needed.

    `known`: the host's accounts know the caller, who must not be gone when the action is done.
    """

    method: str
    known: bool = False
    strategy: Strategy | None = None
    charge: Charge | None = None


class StepUp:
    """Guards actions with the second factor of their caller (SPEC 2)."""

    def __init__(
        self,
        *,
        transactions: Transactions,
        strategies: tuple[Strategy, ...],
        settings: Settings,
        audit: AuditTrail,
        jobs: Queue,
        accounts: Accounts,
        meter: Meter = UNCOUNTED,
        announcer: Announcer | None = None,
        clock: Callable[[], float] | None = None,
        by_database: bool = False,
    ) -> None:
        self.meter = meter
        self.announcer = announcer or Announcer()
        self.budgets = Budgets(transactions, meter, by_database=by_database)
        self._transactions = transactions
        self.strategies = strategies
        self._settings = settings
        self.audit = audit
        self._traces = Traces(
            audit=audit, jobs=jobs, announcer=self.announcer, budgets=self.budgets
        )
        self.challenges = Challenges(
            transactions=transactions,
            strategies=strategies,
            settings=settings,
            budgets=self.budgets,
        )
        self.rechecks = Rechecks(accounts, clock)

    def run(
        self, asked: ActionRequest, block: Callable[[Passed], T], *, outcome: str = "passed"
    ) -> T:
        """What `block` gives, which does the action in its open transaction, once the proof is
        right.

        What the block writes commits together with the burnt code and an audit row of this
        `outcome`; with an empty one the block writes the row itself. A Refusal from the block
        commits too, with its audit row; any other exception leaves nothing but the charge. Where
        the database ended the transaction to break a deadlock, the block runs again.
        Raises FactorRequired, FactorInvalid, TooManyAttempts, NoFactor, or NotSignedIn where the
        sign-in or the account has ended meanwhile.
        """
        try:
            admitted = self._admit(asked)
        except Refusal as refusal:
            self._refused_before(asked, refusal)
            raise
        act = partial(self._act, asked, admitted, block, outcome=outcome)
        try:
            done = self._transactions.retry_deadlocks(act)
        except Busy:  # nothing was looked at
            if admitted.charge:
                self.budgets.take_back(admitted.charge)
            raise
        self.meter.second_factor(admitted.method, "passed")
        return done

    def record_refusal(self, asked: ActionRequest, refusal: Refusal) -> None:
        """Write the audit row of a refusal that came before any proof was asked for.

        Of those for their rate, one for each account, route and window of time.
        """
        with self._transactions.begin() as session:
            if isinstance(refusal, TooManyRequests) and not is_first(session, asked, refusal):
                return
            named = asked.proof.method or ""
            # The header is any text of a stranger: only a method that there is goes into the log.
            self._traces.refused(session, asked, refusal, named if self.has(named) else "")

    def warn_spent(self, asked: ActionRequest, method: str) -> None:
        """Mail the owner that a budget of tries is spent, once an hour at most."""
        with self._transactions.begin() as session:
            self._traces.spent(session, asked, method)

    def tell_locked(self, asked: ActionRequest, method: str) -> None:
        """Write down, and mail the owner, that the tries at this method are locked."""
        with self._transactions.begin() as session:
            self._traces.locked(session, asked, method)

    def has(self, method: str) -> bool:
        """Whether the configuration names this method."""
        return any(strategy.name == method for strategy in self.strategies)

    def _act(
        self,
        asked: ActionRequest,
        admitted: Admitted,
        block: Callable[[Passed], T],
        *,
        outcome: str,
    ) -> T:
        with self._transactions.begin_keeping_refusals() as session:
            try:
                self._verify(session, asked, admitted)
                caller = self.rechecks.caller(
                    session, asked.caller, asked.now, known=admitted.known
                )
                done = block(Passed(session=session, method=admitted.method, caller=caller))
            except Refusal as refusal:
                self._traces.refused(session, asked, refusal, admitted.method)
                raise
            if outcome:
                self._traces.record(session, asked, outcome, admitted.method)
            return done

    def _admit(self, asked: ActionRequest) -> Admitted:
        if not (self._settings.two_factor and asked.proven):
            return Admitted(method=OFF)
        if asked.caller.bypasses_two_factor and self._settings.bypass_tokens:
            return Admitted(method=BYPASS)
        with self._transactions.read() as session:
            known = self.rechecks.knows(session, asked.caller)
            strategy, named = self._choose(attempt_of(asked, session), asked)
        if strategy is None:
            return self._without_method(asked)
        try:
            admitted = self._admit_to(asked, strategy, named=named)
        except TooManyAttempts as refusal:
            other = self._beside(asked, strategy) if refusal.locked else None
            if other is None:
                raise
            named = asked.proof.method in (None, other.name)
            admitted = self._admit_to(asked, other, named=named)
        return replace(admitted, known=known)

    def _beside(self, asked: ActionRequest, locked: Strategy) -> Strategy | None:
        """What serves in the place of a locked method that the caller has not asked for by name."""
        if asked.proof.method == locked.name:
            return None
        with self._transactions.read() as session:
            attempt = attempt_of(asked, session)
            usable = [s for s in self.strategies if not s.fallback and is_usable(s, attempt)]
            names = locked_names(session, attempt)
        return next((s for s in usable if s.name not in names), None)

    def _admit_to(self, asked: ActionRequest, strategy: Strategy, *, named: bool) -> Admitted:
        if asked.proof.code is None:
            raise FactorRequired(**self.challenges.start(asked, strategy))
        if not named:
            raise FactorInvalid(**self.challenges.told(asked, strategy))
        charge = self._charge(asked, strategy)
        return Admitted(method=strategy.name, strategy=strategy, charge=charge)

    def _choose(self, attempt: Attempt, asked: ActionRequest) -> tuple[Strategy | None, bool]:
        """The strategy that serves, and whether it is what the caller named (or named none)."""
        name = asked.proof.method
        proper = [s for s in self.strategies if not s.fallback]
        for strategy in proper:
            if strategy.name == name and is_usable(strategy, attempt):
                return strategy, True
        fallbacks = [s for s in self.strategies if s.fallback and asked.fallback]
        for strategy in (*proper, *fallbacks):
            if is_usable(strategy, attempt):
                return strategy, name in (None, strategy.name)
        return None, False

    def _without_method(self, asked: ActionRequest) -> Admitted:
        # Signing in is what the password was for: an account without a second factor may.
        if not asked.fallback or self._settings.without_method == "allow":
            return Admitted(method="")
        raise NoFactor()

    def _charge(self, asked: ActionRequest, strategy: Strategy) -> Charge:
        account = asked.caller.account
        purpose, windows = f"verify:{strategy.name}", self._settings.verify_windows
        try:
            return self.budgets.charge(account.id, purpose, windows, asked.now, guess=True)
        except TooManyAttempts as refusal:
            raise TooManyAttempts(
                refusal.retry_after, **self.challenges.told(asked, strategy)
            ) from None

    def _verify(self, session: Session, asked: ActionRequest, admitted: Admitted) -> None:
        strategy, charge = admitted.strategy, admitted.charge
        if not admitted.method or (strategy and strategy.fallback):
            self._refuse_overtaken(session, asked, strategy)
        if strategy is None or charge is None:
            return
        attempt = attempt_of(asked, session)
        if is_true(strategy, strategy.verify(attempt, asked.proof.code or "")):
            self.budgets.refund(session, charge, unlocks=not strategy.fallback)
            return
        if charge.locks:
            self._traces.locked(session, asked, strategy.name)
        elif charge.last:
            self._traces.spent(session, asked, strategy.name)
        self.meter.second_factor(strategy.name, FactorInvalid.code)
        why = strategy.explain(attempt, asked.proof.code or "")
        raise FactorInvalid(**{**why, **self.challenges.details(session, asked, strategy)})

    def _refuse_overtaken(
        self, session: Session, asked: ActionRequest, strategy: Strategy | None
    ) -> None:
        """What serves those who have nothing better is over once they have."""
        better, _ = self._choose(attempt_of(asked, session), asked)
        if better is not None and better is not strategy:
            raise FactorInvalid(**self.challenges.details(session, asked, better))

    def _refused_before(self, asked: ActionRequest, refusal: Refusal) -> None:
        method = str(refusal.details.get("method", ""))
        self.meter.second_factor(method, refusal.code)
        with self._transactions.begin() as session:
            self._traces.refused(session, asked, refusal, method)
            if isinstance(refusal, TooManyAttempts):
                self._traces.spent(session, asked, method, locked=refusal.locked)
