"""Unlocks the second factors of an account, for callers who hold the permission."""

from functools import partial

from e2ereset.errors import NotAllowed
from e2ereset.parts import Parts
from e2ereset.permissions.service import UNLOCK_OTHER_USER_FACTOR
from e2ereset.permissions.targets import Targets
from e2ereset.records import Action, ActionRequest, Caller, Passed, Proof, TargetName

from .budgets import locks
from .enrolment import UNLOCK, Factors
from .stepup import StepUp


class Unlocks:
    """Unlocks second factors, behind the second factor of the caller."""

    def __init__(self, parts: Parts, *, targets: Targets, stepup: StepUp, factors: Factors) -> None:
        self._audit = parts.audit
        self._targets = targets
        self._stepup = stepup
        self._factors = factors

    def unlock(self, caller: Caller, named: TargetName, proof: Proof, now: int) -> tuple[str, ...]:
        """Unlock the named account's methods; returns the purposes that were locked, sorted.

        A proof unlocks the caller's own methods by itself. Raises the refusals of the second
        factor, UnknownTarget, and NotAllowed when the caller lacks the permission or may not act on
        the target.
        """
        account = caller.account
        target, name, act = account.id, account.username, self._own
        if not named.names(account):
            target, name = self._targets.bound(caller, named, UNLOCK_OTHER_USER_FACTOR)
            act = partial(self._other, named=named)
        action = Action(name=UNLOCK, target=target, phrase=f"unlock the second factors of {name}")
        asked = ActionRequest(caller=caller, proof=proof, action=action, now=now)
        return self._stepup.run(asked, partial(act, asked), outcome="")

    def _own(self, asked: ActionRequest, passed: Passed) -> tuple[str, ...]:
        account = passed.caller.account
        if locks(passed.session, account.id):
            raise NotAllowed("Only another second factor unlocks your own. Ask an administrator")
        self._audit.write_request(passed.session, asked, "passed", method=passed.method)
        return ()

    def _other(self, asked: ActionRequest, passed: Passed, *, named: TargetName) -> tuple[str, ...]:
        target = self._targets.permitted(passed, asked, named, UNLOCK_OTHER_USER_FACTOR)
        return self._factors.unlock_in(
            passed.session, target, asked.caller, at=asked.now, method=passed.method
        )
