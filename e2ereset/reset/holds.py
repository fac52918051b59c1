"""Holds resets of a key for some days: its owner says that somebody else acts as them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import BigInteger, Executable, bindparam, delete, func, select
from sqlalchemy.orm import Session

from e2ereset.audit import Operator
from e2ereset.errors import NoFactor, ResetHeld, UnknownTarget
from e2ereset.factors import statements as factors
from e2ereset.factors.enrolment import FactorStatus
from e2ereset.factors.passkeys import MINE, PASSKEYS
from e2ereset.factors.stepup import StepUp
from e2ereset.languages.words import N_
from e2ereset.parts import Parts
from e2ereset.ports import HoldsSessions, LocksAccounts
from e2ereset.records import Account, Action, ActionRequest, Caller, Passed, Proof, iso
from e2ereset.store.locks import lock_all, lock_name
from e2ereset.store.retained import NOW, Expiring
from e2ereset.store.statements import Inserts, Statement
from e2ereset.store.tables import table
from e2ereset.store.transactions import run

from .models import ResetHold

T = TypeVar("T")
HOLD, LIFT = "hold-resets", "lift-reset-hold"
HOLD_SECONDS = 72 * 3600
TOO_YOUNG = N_("Only a second factor that is older than the hold lifts it. Ask your administrator.")
HOLDS = table(ResetHold)
EXPIRING = Expiring("reset holds", HOLDS, HOLDS.c.until <= NOW)
THIS = (HOLDS.c.account_id == bindparam("account"), HOLDS.c.until > NOW)
FIND = Statement(select(HOLDS.c.since, HOLDS.c.until).where(*THIS))
DROP = Statement(delete(HOLDS).where(*THIS, HOLDS.c.since == bindparam("since", type_=BigInteger)))

ENABLED: dict[str, Executable] = {
    "totp": factors.GET_ENABLED,
    "email": factors.EMAIL_FACTS,
    # The one that has just proven this: others of the account may be older.
    "passkey": select(func.max(PASSKEYS.c.created_at)).where(MINE, PASSKEYS.c.used_at == NOW),
}
"""What finds since when a method is enabled, in its first column."""


@Statement
def ADD(insert: Inserts) -> Executable:
    """Hold the resets of an account, unless they are held: nobody makes a hold longer."""
    statement = insert(HOLDS)
    fresh = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[HOLDS.c.account_id],
        set_={"since": fresh.since, "until": fresh.until},
        where=HOLDS.c.until <= fresh.since,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Resets of a key are held `until` then (epoch seconds). `liftable`: its owner can lift it."""

    until: int
    liftable: bool


class Holds:
    """Sets, lifts and checks holds."""

    def __init__(self, parts: Parts, stepup: StepUp) -> None:
        accounts = parts.accounts
        self._parts = parts
        self._stepup = stepup
        self._sessions = accounts if isinstance(accounts, HoldsSessions) else None
        self._locks = accounts if isinstance(accounts, LocksAccounts) else None

    def held_until(self, account_id: str, now: int) -> int | None:
        """Until when the resets of this account's key are held; None where they are not."""
        with self._parts.transactions.look_up() as session:
            found = FIND(session, {"account": account_id, "now": now}).first()
        return found and int(found.until)

    def seen_by(self, caller: Caller, status: FactorStatus, now: int) -> Held | None:
        """The hold of the caller's own key, who has these factors; None where there is none."""
        with self._parts.transactions.look_up() as session:
            found = FIND(session, {"account": caller.account.id, "now": now}).first()
        if found is None:
            return None
        liftable = self._parts.settings.two_factor and any(
            one.enabled_at < found.since and status.proves(method, caller)
            for method, one in status.history.items()
        )
        return Held(until=found.until, liftable=liftable)

    def check(self, session: Session, account_id: str, now: int) -> None:
        """Raise ResetHeld while the resets of this account's key are held.

        No hold begins from then on until the commit.
        """
        self._lock(session, account_id)
        found = FIND(session, {"account": account_id, "now": now}).first()
        if found is not None:
            raise ResetHeld(until=iso(found.until))

    def hold(self, caller: Caller, now: int) -> int:
        """End the caller's sign-ins, this one too, and hold the resets of their key; until when.

        It needs no proof: who has lost the factors needs it most. Raises NotSignedIn.
        """
        action = Action(name=HOLD, target=caller.account.id)
        asked = ActionRequest(caller=caller, proof=Proof(), action=action, now=now, proven=False)

        def block(passed: Passed) -> int:
            """Hold them."""
            account = passed.caller.account
            return self._hold(passed.session, account, now, by=asked.caller)

        return self._stepup.run(asked, block, outcome="held")

    def lift(self, caller: Caller, proof: Proof, now: int) -> bool:
        """Lift the hold of the caller's own key; False where there is none.

        Only a second factor that is older than the hold proves it: no password alone, no token that
        skips the proof, and no factor that somebody has set up since. Raises the refusals of the
        second factor.
        """
        account = caller.account
        with self._parts.transactions.look_up() as session:
            found = FIND(session, {"account": account.id, "now": now}).first()
        if found is None:
            return False
        began = found.since if caller.signed_in_at is None else caller.signed_in_at
        older = replace(caller, signed_in_at=min(began, found.since))
        phrase = f"lift the hold on resets of {account.username}"
        asked = ActionRequest(
            caller=older,
            proof=proof,
            action=Action(name=LIFT, target=account.id, phrase=phrase),
            now=now,
            fallback=False,
        )

        def block(passed: Passed) -> bool:
            """Lift it, if it was proven, and is still the hold that was looked at."""
            if not _is_older(passed, found.since, now):
                raise NoFactor(TOO_YOUNG)
            return self._lift(passed.session, account, found.since, now, by=caller)

        return self._stepup.run(asked, block, outcome="lifted")

    def hold_by_operator(self, operator: Operator, account_id: str, now: int) -> int:
        """`hold`, for an operator of the server. Raises UnknownTarget."""

        def act(session: Session, account: Account) -> int:
            """Hold them, with the audit row."""
            write = self._parts.audit.write
            write(session, HOLD, operator, at=now, target=account.id, outcome="held")
            return self._hold(session, account, now, by=operator)

        return self._as_operator(account_id, act)

    def lift_by_operator(self, operator: Operator, account_id: str, now: int) -> bool:
        """Lift a hold; False where there is none. Raises UnknownTarget."""

        def act(session: Session, account: Account) -> bool:
            """Lift it, with the audit row."""
            found = FIND(session, {"account": account.id, "now": now}).first()
            if found is None or not self._lift(session, account, found.since, now, by=operator):
                return False
            write = self._parts.audit.write
            write(session, LIFT, operator, at=now, target=account.id, outcome="lifted")
            return True

        return self._as_operator(account_id, act)

    def _as_operator(self, account_id: str, act: Callable[[Session, Account], T]) -> T:
        def once() -> T:
            """Act in one transaction."""
            with self._parts.transactions.begin() as session:
                account = self._parts.accounts.get(session, account_id)
                if account is None:
                    raise UnknownTarget()
                return act(session, account)

        return self._parts.transactions.retry_deadlocks(once)

    def _hold(self, session: Session, account: Account, now: int, *, by: Caller | Operator) -> int:
        self._lock(session, account.id)
        # Sign-ins first, as a reset does.
        if self._sessions:
            self._sessions.end_sessions(session, account.id)
        until = now + HOLD_SECONDS
        ADD(session, {"account_id": account.id, "since": now, "until": until})
        kept = FIND(session, {"account": account.id, "now": now}).first()
        self._parts.mail_change(
            session, account, "Resets of your E2E key are held for 72 hours", now=now, by=by
        )
        return int(kept.until) if kept else until

    def _lock(self, session: Session, account_id: str) -> None:
        """Have resets and holds of this account one after the other, until the commit."""
        if not self._locks:
            lock_name(session, "account", account_id)
        elif not lock_all(session):
            self._locks.lock_account_row(session, account_id)

    def _lift(
        self, session: Session, account: Account, since: int, now: int, *, by: Caller | Operator
    ) -> bool:
        if not DROP(session, {"account": account.id, "now": now, "since": since}).rowcount:
            return False
        self._parts.mail_change(
            session, account, "Resets of your E2E key are not held any more", now=now, by=by
        )
        return True


def _is_older(passed: Passed, since: int, now: int) -> bool:
    """Whether a second factor of ours proved it that was enabled before `since`.

    That a factor counts for an old sign-in does not say so: one that an operator enrols counts for
    all, and so does one of a host that does not tell when sign-ins began.
    """
    find = ENABLED.get(passed.method)
    if find is None:
        return False
    account = {"account": passed.caller.account.id, "now": now}
    enabled_at = run(passed.session, find, account).scalar()
    return enabled_at is not None and bool(enabled_at < since)
