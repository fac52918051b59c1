"""Resets E2E keys in one transaction, behind the caller's second factor."""

from functools import partial

from sqlalchemy.orm import Session

from e2ereset.audit import Operator
from e2ereset.errors import NotAllowed, UnknownTarget
from e2ereset.factors.stepup import StepUp
from e2ereset.factors.traces import Traces
from e2ereset.parts import Parts
from e2ereset.permissions.service import EDIT_OTHER_USER_E2EE
from e2ereset.permissions.targets import Targets
from e2ereset.ports import HoldsKeys, HoldsSessions
from e2ereset.records import (
    Account,
    Action,
    ActionRequest,
    Caller,
    Passed,
    Proof,
    Receipt,
    TargetName,
)
from e2ereset.signals import key_reset
from e2ereset.vault.service import Pair, Vault, drop_key_pair

from .holds import Holds
from .plan import Plan, Plans

ACTION = "reset-e2e-key"
REPLACE = "replace-e2e-key"


class Resets:
    """Resets E2E keys (SPEC 1)."""

    def __init__(
        self, parts: Parts, *, targets: Targets, stepup: StepUp, traces: Traces, vault: Vault
    ) -> None:
        accounts = parts.accounts
        self._parts = parts
        self._keys = accounts if isinstance(accounts, HoldsKeys) else None
        self._sessions = accounts if isinstance(accounts, HoldsSessions) else None
        self._targets = targets
        self._stepup = stepup
        self._traces = traces
        self._vault = vault
        self._plans = Plans(parts)
        self.holds = Holds(parts, stepup)

    @property
    def ends_sign_ins(self) -> bool:
        """Whether a reset ends the sign-ins of its target: the host keeps them with us."""
        return self._sessions is not None

    def preview(self, caller: Caller, named: TargetName | None, now: int) -> Plan:
        """What `reset_key` would lose, if it were called now; nothing is changed.

        Raises UnknownTarget and NotAllowed, as `reset_key` does.
        """
        other = None if named is None or named.names(caller.account) else named
        self._targets.permissions.seed_once()
        with self._parts.transactions.read() as session:
            target = caller.account
            if other is not None:
                target = self._targets.seen(session, caller, other, EDIT_OTHER_USER_E2EE)
            _refuse_federated(target)
            return self._plans.make(session, target, now)

    def reset_key(
        self,
        caller: Caller,
        named: TargetName | None,
        proof: Proof,
        now: int,
        *,
        plan: str | None = None,
        reason: str = "",
    ) -> Receipt:
        """Reset the caller's own key, or with `named` the key of another account.

        A caller who names themselves resets their own key. `plan` is the digest of the plan that
        the caller was shown; None: no plan was shown. The `reason` is in the audit row, and in the
        mail to the owner. Raises the refusals of the second factor, UnknownTarget, NotAllowed when
        the caller lacks the permission or may not act on the target, ResetHeld, and PlanChanged.
        After these two the proof is used up.
        """
        other = None if named is None or named.names(caller.account) else named
        target, name = caller.account.id, caller.account.username
        if other is not None:
            target, name = self._targets.bound(caller, other, EDIT_OTHER_USER_E2EE)
        phrase = f"reset the E2E key of {name}"
        action = Action(name=ACTION, target=target, phrase=phrase, plan=plan or "")
        asked = ActionRequest(caller=caller, proof=proof, action=action, now=now)
        act = partial(self._act, asked, other, plan=plan, reason=reason)
        return self._stepup.run(asked, act, outcome="")

    def replace_key(self, caller: Caller, pair: Pair, proof: Proof, now: int) -> Receipt:
        """Reset the caller's own key, and store the new pair.

        E2ERESET_KEY_REPLACEMENT says whether it needs the second factor, or is refused. Raises the
        refusals of the second factor, NotAllowed, and ResetHeld.
        """
        account, policy = caller.account, self._parts.settings.key_replacement
        phrase = f"replace the E2E key of {account.username}"
        action = Action(name=REPLACE, target=account.id, phrase=phrase)
        asked = ActionRequest(
            caller=caller, proof=proof, action=action, now=now, proven=policy != "allow"
        )
        if policy == "refuse":
            refusal = NotAllowed("Another public key is stored. Reset your E2E key first")
            self._traces.note_refusal(asked, refusal)
            raise refusal
        return self._stepup.run(asked, partial(self._replace, asked, pair), outcome="")

    def reset_by_operator(
        self, operator: Operator, account_id: str, now: int, *, despite_hold: bool = False
    ) -> Receipt:
        """Reset the key of an account for an operator of the server, without a second factor.

        The operator's reason is in the audit row. Raises UnknownTarget, NotAllowed for a federated
        user, and ResetHeld, unless it is `despite_hold`, which stays.
        """
        by = Account(id=operator.id, username=operator.id)
        caller = Caller(account=by)
        action = Action(name=ACTION, target=account_id)
        asked = ActionRequest(caller=caller, proof=Proof(), action=action, now=now)

        def act() -> Receipt:
            """Reset it in one transaction."""
            with self._parts.transactions.begin() as session:
                target = self._parts.accounts.get(session, account_id)
                if target is None:
                    raise UnknownTarget()
                if not despite_hold:
                    self.holds.check(session, account_id, now)
                passed = Passed(session=session, method="operator", caller=caller)
                return self._reset(passed, asked, target, operator.reason)

        return self._parts.transactions.retry_deadlocks(act)

    def _replace(self, asked: ActionRequest, pair: Pair, passed: Passed) -> Receipt:
        account = passed.caller.account
        self.holds.check(passed.session, account.id, asked.now)
        receipt = self._reset(passed, asked, account)
        while not self._vault.add(passed.session, account.id, pair, asked.now):
            # If the host ends no sign-ins, a first pair may have been stored after the drop.
            drop_key_pair(passed.session, account.id)
        return receipt

    def _act(
        self,
        asked: ActionRequest,
        other: TargetName | None,
        passed: Passed,
        *,
        plan: str | None,
        reason: str,
    ) -> Receipt:
        target = passed.caller.account
        if other is not None:
            target = self._targets.permitted(passed, asked, other, EDIT_OTHER_USER_E2EE)
        session, own = passed.session, other is None
        if plan is not None:
            self._plans.lock(session, target)  # and so nobody holds the resets meanwhile
        self.holds.check(session, target.id, asked.now)
        if plan is not None:
            self._plans.check(session, target, plan, own=own, now=asked.now)
        return self._reset(passed, asked, target, reason)

    def _reset(
        self, passed: Passed, asked: ActionRequest, target: Account, reason: str = ""
    ) -> Receipt:
        _refuse_federated(target)
        session, now = passed.session, asked.now
        # Sign-ins first, as the recheck of the caller has locked one of them already: so two resets
        # of one account take their locks in the same order.
        if self._sessions:
            self._sessions.end_sessions(session, target.id)
        dropped = drop_key_pair(session, target.id)
        if self._keys:
            dropped = self._keys.drop_keys(session, target.id, now) or dropped
        outcome = "reset" if dropped else "nothing-to-reset"
        self._parts.audit.write_request(
            session, asked, outcome, method=passed.method, target=target.id, reason=reason
        )
        receipt = Receipt(
            caller=passed.caller.account,
            target=target,
            method=passed.method,
            at=now,
            nothing_to_reset=not dropped,
            replaced=asked.action.name == REPLACE,
            address=asked.caller.address,
            agent=asked.caller.agent,
        )
        self._mail(session, receipt, reason)
        self._parts.announcer.later(session, key_reset, receipt=receipt)
        return receipt

    def _mail(self, session: Session, receipt: Receipt, reason: str) -> None:
        """Queue the notice of the reset to its owner, with the reason that was given."""
        self._parts.mail_owner(
            session,
            "key-reset",
            receipt.target,
            now=receipt.at,
            place=receipt,
            by=receipt.caller.username,
            own=receipt.caller.id == receipt.target.id,
            nothing_to_reset=receipt.nothing_to_reset,
            replaced=receipt.replaced,
            # A host that has its own sign-ins, and does not implement HoldsSessions, ends none.
            signed_out=self.ends_sign_ins,
            reason=reason,
        )


def _refuse_federated(target: Account) -> None:
    if target.federated:
        raise NotAllowed("Federated users cannot have their E2E key reset")
