"""Checks every proof: choose the method, charge the try, verify the code, refund the charge.

The order makes it safe. A try is charged and committed before the code is compared. The code is
used up in the transaction of the action that it allows. Only then is the charge taken back.
"""

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import NoReturn, TypeVar

from sqlalchemy.orm import Session

from e2ereset.errors import (
    Busy,
    FactorInvalid,
    FactorRequired,
    NoFactor,
    Refusal,
    TooManyAttempts,
)
from e2ereset.parts import Parts
from e2ereset.records import (
    BYPASS,
    GRANT,
    IN_PLACE_OF,
    OFF,
    REMEMBERED,
    UNKNOWN_AGE,
    ActionRequest,
    Attempt,
    Passed,
)

from .budgets import Budgets, Charge
from .challenges import Challenges, attempt_of
from .grants import Grants
from .rechecks import Rechecks
from .remembered import Remembered
from .strategies.base import Strategy
from .strategies.checks import is_true, is_usable
from .traces import Traces

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The method that checks the proof. Strategy and charge are None if no proof is needed.

    `known`: the host's accounts know the caller, so the account must still exist at the action.
    `granted`: the grant of the caller stands in for a proof; its name is in `method`.
    """

    method: str
    known: bool = False
    granted: bool = False
    strategy: Strategy | None = None
    charge: Charge | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StepUp:
    """Guards actions with the second factor of their caller (SPEC 2)."""

    parts: Parts
    _: KW_ONLY
    challenges: Challenges
    budgets: Budgets
    rechecks: Rechecks
    grants: Grants
    remembered: Remembered
    traces: Traces

    def run(
        self, asked: ActionRequest, block: Callable[[Passed], T], *, outcome: str = "passed"
    ) -> T:
        """Check the proof, then run `block`, which does the action; returns what it returns.

        The block runs in an open transaction. What it writes is committed together with the used
        code and an audit row of this `outcome`; if that is empty, the block writes the row itself.
        A Refusal from the block is committed too, with its audit row. After any other exception
        only the charge stays. If the database ended the transaction to break a deadlock, the block
        runs again. Raises FactorRequired, FactorInvalid, TooManyAttempts, NoFactor, or NotSignedIn
        when the sign-in or the account has ended meanwhile.
        """
        try:
            chosen = self._choose(asked)
        except Refusal as refusal:
            refusal.action = asked.action
            self.traces.refused_at_the_gate(asked, refusal)
            raise
        prove = partial(self._prove, asked, chosen, block, outcome)
        try:
            done = self.parts.transactions.retry_deadlocks(prove)
        except Busy:  # the code was not compared
            if chosen.charge:
                self.budgets.take_back(chosen.charge)
            raise
        self.parts.meter.second_factor(GRANT if chosen.granted else chosen.method, "passed")
        return done

    def _prove(
        self, asked: ActionRequest, chosen: Chosen, block: Callable[[Passed], T], outcome: str
    ) -> T:
        with self.parts.transactions.begin_keeping_refusals() as session:
            try:
                self._verify(session, asked, chosen)
                caller = self.rechecks.caller(session, asked.caller, asked.now, known=chosen.known)
                self._settle(session, replace(asked, caller=caller), chosen)
                done = block(Passed(session=session, method=chosen.method, caller=caller))
            except Refusal as refusal:
                refusal.action = asked.action
                self.traces.refused(session, asked, refusal, chosen.method)
                raise
            if outcome:
                self.traces.record(session, asked, outcome, chosen.method)
            return done

    def _settle(self, session: Session, asked: ActionRequest, chosen: Chosen) -> None:
        """Count the use of a grant; look at a remembered proof again; remember a new one."""
        if chosen.granted:
            self.grants.use(session, asked)
        elif chosen.method == REMEMBERED and chosen.strategy is None:
            if not self.remembered.holds(session, asked):  # a factor was changed a moment ago
                attempt = attempt_of(asked, session)
                strategy, _ = self._serving(attempt, asked)
                told = self.challenges.details(attempt, strategy) if strategy else {}
                raise FactorRequired(**told)
        elif chosen.strategy is not None:
            self.remembered.keep(session, asked)

    def _choose(self, asked: ActionRequest) -> Chosen:
        """Choose the method and charge the try. Raises the refusals that come before a check."""
        with self.parts.transactions.look_up() as session:
            known = self.rechecks.knows(session, asked.caller)
            if spared := "" if asked.itself else self._spared(asked):
                return Chosen(method=spared, known=known)
            if not asked.itself and self.grants.cover(session, asked):
                method = f"{GRANT}:{asked.caller.grant}"
                return Chosen(method=method, known=known, granted=True)
            if self.remembered.holds(session, asked):
                return Chosen(method=REMEMBERED, known=known)
            attempt = attempt_of(asked, session)
            strategy, named = self._serving(attempt, asked)
            if strategy is None:
                # For a sign-in the password was proof already: no second factor is needed.
                if self._needs_some(asked, attempt):
                    raise NoFactor()
                return Chosen(method="", known=known)
            if not strategy.provable(attempt):
                raise NoFactor()
            if asked.proof.code is None or not asked.proof.is_for(asked.action):
                self._ask(asked, attempt, strategy)
            try:
                charge = self._charge(asked, attempt, strategy, named=named)
            except TooManyAttempts as refusal:
                other = self._beside(asked, attempt, strategy) if refusal.locked else None
                if other is None:
                    raise
                strategy, charge = other, self._charge(asked, attempt, other, named=True)
        return Chosen(method=strategy.name, known=known, strategy=strategy, charge=charge)

    def _spared(self, asked: ActionRequest) -> str:
        """The method to record for a request that needs no proof; empty if it needs one.

        The token of a grant does, whatever holds for people: else no limit of the grant would.
        """
        settings = self.parts.settings
        if asked.proven and asked.caller.grant:
            return ""
        if not (settings.two_factor and asked.proven):
            return OFF
        return BYPASS if asked.caller.bypasses_two_factor and settings.bypass_tokens else ""

    def _needs_some(self, asked: ActionRequest, attempt: Attempt) -> bool:
        """Whether an account that has no usable method is refused.

        The token of a grant is: it would lock people out by a factor of its own, from anywhere.
        """
        if asked.caller.grant:
            return True
        if asked.enrols:
            return False
        if asked.itself or (asked.fallback and self.parts.settings.without_method != "allow"):
            return True
        return attempt.signed_in_at is not None and self._has_any(attempt, asked)

    def _has_any(self, attempt: Attempt, asked: ActionRequest) -> bool:
        """Whether the account has a factor, however young: it guards what it does not prove."""
        ageless = replace(attempt, signed_in_at=None, memo={})
        return self._serving(ageless, replace(asked, fallback=False))[0] is not None

    def _serving(self, attempt: Attempt, asked: ActionRequest) -> tuple[Strategy | None, bool]:
        """The strategy that checks the proof, and whether the caller named it or named none."""
        name = asked.proof.method
        proper = self.challenges.proper(on_page=asked.proof.typed is not None)
        for strategy in proper:
            if strategy.name == name and is_usable(strategy, attempt):
                return strategy, True
        first = _first(proper, attempt)
        if first is None and self._may_fall_back(attempt, asked):
            first = _first([s for s in self.challenges.strategies if s.fallback], attempt)
        named = first is not None and name in (None, first.name, IN_PLACE_OF.get(first.name))
        return first, named

    def _may_fall_back(self, attempt: Attempt, asked: ActionRequest) -> bool:
        """Whether the password may stand in for a proper factor.

        Beside a factor it may not where the sign-in may be of any age: whoever has just signed in
        by the password would pass by it once more.
        """
        known = attempt.signed_in_at != UNKNOWN_AGE
        return asked.fallback and (known or not self._has_any(attempt, asked))

    def _ask(self, asked: ActionRequest, attempt: Attempt, strategy: Strategy) -> NoReturn:
        """Raise FactorRequired with a challenge; TooManyAttempts if no try or send is left."""
        try:
            raise FactorRequired(**self.challenges.start(attempt, strategy))
        except TooManyAttempts as refusal:
            other = self._beside(asked, attempt, strategy) if refusal.locked else None
            if other is not None:
                self._ask(asked, attempt, other)
            told = self.challenges.details(attempt, strategy)
            raise TooManyAttempts(refusal.retry_after, **told) from None

    def _beside(self, asked: ActionRequest, attempt: Attempt, locked: Strategy) -> Strategy | None:
        """Another strategy, if the locked one was not asked for by name; else None."""
        if asked.proof.method == locked.name:
            return None
        return next(iter(self.challenges.available(attempt)), None)

    def _charge(
        self, asked: ActionRequest, attempt: Attempt, strategy: Strategy, *, named: bool
    ) -> Charge:
        if not named:
            raise FactorInvalid(**self.challenges.details(attempt, strategy))
        attempt.session.rollback()  # gives its connection back before the write takes one
        account_id, windows = attempt.account.id, self.parts.settings.verify_windows
        purpose = f"verify:{strategy.name}"
        try:
            return self.budgets.charge(account_id, purpose, windows, asked.now, guess=True)
        except TooManyAttempts as refusal:
            told = self.challenges.details(attempt, strategy)
            raise TooManyAttempts(refusal.retry_after, **told) from None

    def _verify(self, session: Session, asked: ActionRequest, chosen: Chosen) -> None:
        strategy, charge = chosen.strategy, chosen.charge
        if not chosen.method or (strategy and strategy.fallback):
            self._refuse_overtaken(session, asked, strategy)
        if strategy is None or charge is None:
            return
        attempt, code = attempt_of(asked, session), asked.proof.code or ""
        if is_true(strategy, strategy.verify(attempt, code)):
            self.budgets.refund(session, charge, unlocks=not strategy.fallback)
            self.traces.used(session, asked, strategy.name)
            return
        self.traces.failed(session, asked, strategy.name, charge)
        self.parts.meter.second_factor(strategy.name, FactorInvalid.code)
        why = strategy.explain(attempt, code)
        raise FactorInvalid(**{**why, **self.challenges.details(attempt, strategy)})

    def _refuse_overtaken(
        self, session: Session, asked: ActionRequest, strategy: Strategy | None
    ) -> None:
        """Raise FactorInvalid if the account enabled a better method since one was chosen."""
        attempt = attempt_of(asked, session)
        better, _ = self._serving(attempt, asked)
        if better is not None and better is not strategy:
            raise FactorInvalid(**self.challenges.details(attempt, better))


def _first(strategies: Iterable[Strategy], attempt: Attempt) -> Strategy | None:
    """The first that is usable, but sooner one of which a proof can come by this request."""
    usable = (s for s in strategies if is_usable(s, attempt))
    first = next(usable, None)
    if first is None or first.provable(attempt):
        return first
    return next((s for s in usable if s.provable(attempt)), first)
