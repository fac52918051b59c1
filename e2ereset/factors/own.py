"""What people do with second factors by request: each behind the factors that they have."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from e2ereset.errors import (
    EnrolmentInvalid,
    FactorAlreadyEnabled,
    FactorInvalid,
    NoFactor,
    NotAllowed,
    NoVerifiedAddress,
    Refusal,
    TooManyAttempts,
    TwoFactorOff,
)
from e2ereset.parts import Parts
from e2ereset.permissions.service import EDIT_OTHER_USER_TOTP
from e2ereset.permissions.targets import Targets
from e2ereset.ports import EndsOtherSessions, HoldsSessions
from e2ereset.records import (
    Account,
    Action,
    ActionRequest,
    Caller,
    Passed,
    Proof,
    TargetName,
)

from . import statements as sql
from .budgets import Budgets
from .changes import Enrolment, FactorChanges
from .stepup import StepUp
from .strategies import totp
from .traces import Traces

T = TypeVar("T")
BEGIN, CONFIRM, DISABLE = "begin-totp", "enable-totp", "disable-totp"
RENEW, RESET = "new-backup-codes", "reset-totp"
ENABLE_EMAIL, DISABLE_EMAIL = "enable-email-codes", "disable-email-codes"
PHRASES = {
    BEGIN: "set up an authenticator app for {}",
    DISABLE: "switch off the authenticator app of {}",
    RENEW: "make new backup codes for {}",
    RESET: "reset the authenticator app of {}",
    ENABLE_EMAIL: "switch on codes by e-mail for {}",
    DISABLE_EMAIL: "switch off codes by e-mail for {}",
}


class OwnFactors:
    """The second factors of callers. A factor that they enrol proves no older sign-in."""

    def __init__(
        self,
        parts: Parts,
        *,
        budgets: Budgets,
        changes: FactorChanges,
        stepup: StepUp,
        targets: Targets,
        traces: Traces,
    ) -> None:
        accounts = parts.accounts
        self._parts = parts
        self._ends_all = accounts if isinstance(accounts, HoldsSessions) else None
        self._ends_others = accounts if isinstance(accounts, EndsOtherSessions) else None
        self._budgets = budgets
        self._changes = changes
        self._stepup = stepup
        self._targets = targets
        self._traces = traces

    def begin_totp(self, caller: Caller, proof: Proof, now: int) -> Enrolment:
        """Make a pending secret, which replaces an earlier one.

        The proof is asked for here, as nobody can confirm the secret who was not shown it. Raises
        FactorAlreadyEnabled, and the refusals of the second factor.
        """
        asked = _asked(caller, BEGIN, now, proof=proof, enrols=True)
        if self._is_on(caller.account):
            raise self._noted(asked, FactorAlreadyEnabled())

        def begin(passed: Passed) -> Enrolment:
            """Store it."""
            return self._changes.begin_totp(passed.session, passed.caller.account)

        return self._stepup.run(asked, begin)

    def pending_totp(self, caller: Caller, secret: str) -> Enrolment | None:
        """What an app needs of this secret of the caller's, again; None when it does not wait."""
        with self._parts.transactions.look_up() as session:
            return self._changes.pending(session, caller.account, secret)

    def confirm_totp(self, caller: Caller, code: str, now: int) -> tuple[str, ...]:
        """Enable the pending secret with a first code; the backup codes.

        The other sign-ins of the account end. Raises EnrolmentInvalid, TooManyAttempts.
        """
        asked = _asked(caller, CONFIRM, now, proven=False)
        windows = self._parts.settings.verify_windows
        try:
            charge = self._budgets.charge(
                caller.account.id, "verify:totp", windows, now, guess=True
            )
        except TooManyAttempts as refusal:
            self._traces.refused_at_the_gate(asked, refusal)
            raise

        def confirm(passed: Passed) -> tuple[str, ...]:
            """Compare the code, and take the charge back."""
            session, account = passed.session, passed.caller.account
            try:
                codes = self._changes.confirm_totp(session, account, code, now=now, by=caller)
            except EnrolmentInvalid:
                self._traces.failed(session, asked, totp.TotpStrategy.name, charge)
                raise
            self._budgets.refund(session, charge)
            self._end_others(session, caller)
            return codes

        return self._stepup.run(asked, confirm)

    def disable_totp(self, caller: Caller, code: str, now: int) -> bool:
        """Disable TOTP by a code or a backup code of it. False if it is wrong, or TOTP is off.

        Raises TooManyAttempts.
        """

        def disable(passed: Passed) -> bool:
            """Disable it."""
            account = passed.caller.account
            return self._changes.disable_totp(passed.session, account, now=now, by=caller)

        asked = _by_code(caller, DISABLE, code, now)
        return self._is_on(caller.account) and bool(self._by_itself(asked, disable))

    def renew_backup_codes(self, caller: Caller, code: str, now: int) -> tuple[str, ...] | None:
        """Replace the backup codes, by a code or a backup code. None if the code is wrong.

        Raises EnrolmentInvalid when TOTP is off, and TooManyAttempts.
        """
        self._require_on(caller.account)

        def renew(passed: Passed) -> tuple[str, ...]:
            """Replace them."""
            account = passed.caller.account
            return self._changes.renew_backup_codes(passed.session, account, now=now, by=caller)

        asked = _by_code(caller, RENEW, code, now)
        return self._by_itself(asked, renew)

    def count_backup_codes(self, caller: Caller) -> int:
        """How many backup codes the caller has left. Raises EnrolmentInvalid when TOTP is off."""
        self._require_on(caller.account)
        with self._parts.transactions.look_up() as session:
            return totp.count_backup_codes(session, caller.account.id)

    def set_email(self, caller: Caller, enabled: bool, proof: Proof, now: int) -> None:
        """Enable or disable mailed codes. Enabling ends the other sign-ins of the account.

        Enabling needs a proof only of who has a second factor, not the password. Raises
        NoVerifiedAddress, and the refusals of the second factor.
        """
        act = ENABLE_EMAIL if enabled else DISABLE_EMAIL
        asked = _asked(caller, act, now, proof=proof, enrols=enabled, fallback=not enabled)
        if enabled and not caller.account.emails:
            raise self._noted(asked, NoVerifiedAddress())

        def change(passed: Passed) -> None:
            """Change it."""
            session, account = passed.session, passed.caller.account
            if self._changes.set_email(session, account, enabled, now=now, by=caller) and enabled:
                self._end_others(session, caller)

        self._stepup.run(asked, change)

    def reset_totp(self, caller: Caller, named: TargetName | None, proof: Proof, now: int) -> None:
        """Disable the caller's own TOTP, or with `named` that of another account.

        If it was on, every sign-in and personal token of the account ends, and its owner is told.
        Raises the refusals of the second factor, UnknownTarget, TwoFactorOff, and NotAllowed when
        the caller lacks the permission or may not act on the target.
        """
        other = None if named is None or named.names(caller.account) else named
        target, name = caller.account.id, caller.account.username
        if other is not None:
            target, name = self._targets.bound(caller, other, EDIT_OTHER_USER_TOTP)
        action = Action(name=RESET, target=target, phrase=PHRASES[RESET].format(name))
        asked = ActionRequest(caller=caller, proof=proof, action=action, now=now)
        self._stepup.run(asked, partial(self._reset, asked, other), outcome="")

    def _reset(self, asked: ActionRequest, other: TargetName | None, passed: Passed) -> None:
        session, target = passed.session, passed.caller.account
        if other is not None:
            self._require_two_factor(session, passed.caller)
            target = self._targets.permitted(passed, asked, other, EDIT_OTHER_USER_TOTP)
        if target.federated:
            raise NotAllowed("Federated Users cant have TOTP", function="resetTOTP")
        ends = self._ends_all
        removed = self._changes.disable_totp(
            session, target, now=asked.now, by=asked.caller, signed_out=ends is not None
        )
        if removed:
            self._budgets.reopen(session, target.id, "verify:totp")  # what was guessed at is gone
            if ends:
                ends.end_sessions(session, target.id)
        outcome = "reset" if removed else "nothing-to-reset"
        self._parts.audit.write_request(
            session, asked, outcome, method=passed.method, target=target.id
        )

    def _require_two_factor(self, session: Session, caller: Caller) -> None:
        """Raise TwoFactorOff to a caller who has the permission (else NotAllowed comes first)."""
        allows = self._targets.permissions.allows
        if not self._parts.settings.two_factor and allows(
            session, caller.account.roles, EDIT_OTHER_USER_TOTP
        ):
            raise TwoFactorOff()

    def _by_itself(self, asked: ActionRequest, block: Callable[[Passed], T]) -> T | None:
        """Run the block if the proof is right; None if it is not."""
        try:
            return self._stepup.run(asked, block)
        except (FactorInvalid, NoFactor):
            return None

    def _end_others(self, session: Session, caller: Caller) -> None:
        if self._ends_others:
            self._ends_others.end_other_sessions(session, caller.account.id, caller.sign_in)

    def _require_on(self, account: Account) -> None:
        if not self._is_on(account):
            raise EnrolmentInvalid("TOTP is not enabled")

    def _is_on(self, account: Account) -> bool:
        with self._parts.transactions.look_up() as session:
            return session.scalar(sql.GET_ENABLED, {"account": account.id}) is not None

    def _noted(self, asked: ActionRequest, refusal: Refusal) -> Refusal:
        self._traces.note_refusal(asked, refusal)
        return refusal


def _by_code(caller: Caller, act: str, code: str, now: int) -> ActionRequest:
    """The request of a caller who proves it by a code of the TOTP that it changes."""
    proof = Proof(code=code, method=totp.TotpStrategy.name)
    return _asked(caller, act, now, proof=proof, fallback=False, itself=True)


def _asked(caller: Caller, act: str, now: int, **facts: Any) -> ActionRequest:
    return own_request(caller, Action(name=act, phrase=PHRASES.get(act, "")), now, **facts)


def own_request(
    caller: Caller, act: Action, now: int, *, proof: Proof | None = None, **facts: Any
) -> ActionRequest:
    """The request of a caller for this act on the own account, whose name completes the phrase.

    The proof is for the account, unless the act names a part of it as its target.
    """
    account = caller.account
    action = replace(
        act, target=act.target or account.id, phrase=act.phrase.format(account.username)
    )
    return ActionRequest(caller=caller, proof=proof or Proof(), action=action, now=now, **facts)
