"""Enrolling, disabling, listing and unlocking second factors, for operators and hosts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from e2ereset.audit import Actor, Operator, Who
from e2ereset.parts import Parts
from e2ereset.records import Account, Caller
from e2ereset.store.transactions import run

from . import statements as sql
from .budgets import Budgets, locks, unlock
from .changes import Enrolment, FactorChanges
from .strategies import totp

UNLOCK = "unlock-factor"
"""The action's name, in the audit log and in the request for a second factor."""
METHODS = ("totp", "email", "passkey")
"""The second factors that people have or not; the password is none that they enable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorTimes:
    """Since when a method is enabled, and when it last proved something; all in epoch seconds.

    `used_at` is None for never. It proves no sign-in that began before `counts_from`; None: any.
    """

    enabled_at: int
    used_at: int | None
    counts_from: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorStatus:
    """Which second factors an account has enabled, and how many backup codes are left.

    `locked`: the purposes that a hundred failures in a row have locked, such as `verify:totp`, and
    `login:password` for sign-ins from addresses that the owner has not used. `history` has the
    times of each enabled method, by its name. `methods` are those of this server.
    """

    totp: bool
    email: bool
    backup_codes_left: int
    locked: tuple[str, ...] = ()
    history: Mapping[str, FactorTimes] = field(default_factory=dict)
    methods: Collection[str] = METHODS

    @property
    def in_use(self) -> list[str]:
        """The enabled methods that are methods of this server."""
        return [method for method in self.history if method in self.methods]

    def proves(self, method: str, caller: Caller) -> bool:
        """Whether this method of the caller's proves the sign-in that the caller has."""
        history = self.history.get(method)
        if history is None or method not in self.methods or f"verify:{method}" in self.locked:
            return False
        reaches = method != "email" or bool(caller.account.emails)
        return reaches and counts(history.counts_from, caller)


def counts(since: int | None, caller: Caller) -> bool:
    """Whether a factor that counts from then (epoch seconds) counts for the caller's sign-in."""
    return since is None or caller.signed_in_at is None or since <= caller.signed_in_at


class Factors:
    """The second factors of accounts. The host checks who may call this."""

    def __init__(
        self,
        parts: Parts,
        budgets: Budgets,
        changes: FactorChanges,
        methods: Collection[str] = METHODS,
    ) -> None:
        self._parts = parts
        self._budgets = budgets
        self._changes = changes
        self._methods = methods

    def begin_totp(self, account: Account) -> Enrolment:
        """Make a pending secret, which replaces an earlier one. Raises FactorAlreadyEnabled."""
        with self._parts.transactions.begin() as session:
            return self._changes.begin_totp(session, account)

    def confirm_totp(
        self, account: Account, code: str, *, caller: Caller | None = None
    ) -> tuple[str, ...]:
        """Enable the pending secret with a first code, which is then used up; the backup codes.

        The try is charged to the budget of all TOTP codes. With the `caller`, the owner is warned
        when the code is used again from elsewhere, and sign-ins that began earlier are not proven
        by this factor. Raises EnrolmentInvalid, TooManyAttempts.
        """
        now = int(self._parts.clock())
        windows = self._parts.settings.verify_windows
        charge = self._budgets.charge(account.id, "verify:totp", windows, now, guess=True)
        with self._parts.transactions.begin() as session:
            codes = self._changes.confirm_totp(session, account, code, now=now, by=caller)
            self._budgets.refund(session, charge)
        return codes

    def enrol_totp(
        self, account: Account, *, secret: str | None = None, by: Operator | None = None
    ) -> Enrolment:
        """Enable TOTP at once, for an operator who gives the secret to the owner.

        `secret`, in base32, comes from another server; None makes one. Locked tries at TOTP are
        unlocked. Raises FactorAlreadyEnabled, and EnrolmentInvalid for a malformed secret.
        """
        now = int(self._parts.clock())
        with self._parts.transactions.begin() as session:
            enrolment = self._changes.enrol_totp(session, account, secret, now)
            self._record(session, "enable-totp", account, by=by, now=now)
        return enrolment

    def enable_totp_in(
        self, session: Session, account: Account, secret: str | None, now: int
    ) -> str:
        """Enable TOTP in an open transaction, without backup codes or a mail; the secret.

        Raises as `enrol_totp` does.
        """
        return self._changes.enable_totp(session, account, secret, now)

    def disable_totp(self, account: Account, *, by: Operator | None = None) -> bool:
        """Disable TOTP and delete its backup codes. False when it was not enabled.

        A pending enrolment is deleted too.
        """
        now = int(self._parts.clock())
        with self._parts.transactions.begin() as session:
            if disabled := self._changes.disable_totp(session, account, now=now):
                self._record(session, "disable-totp", account, by=by, now=now)
        return disabled

    def renew_backup_codes(
        self, account: Account, *, by: Operator | None = None
    ) -> tuple[str, ...]:
        """Replace the backup codes by twelve new ones. Raises EnrolmentInvalid without TOTP."""
        now = int(self._parts.clock())
        with self._parts.transactions.begin() as session:
            codes = self._changes.renew_backup_codes(session, account, now=now)
            self._record(session, "new-backup-codes", account, by=by, now=now)
        return codes

    def set_email(self, account: Account, enabled: bool, *, by: Operator | None = None) -> bool:
        """Enable or disable mailed codes; they work while the account has a verified address.

        Disabling deletes the codes that were mailed. False when nothing changed. Raises
        NoVerifiedAddress.
        """
        now, word = int(self._parts.clock()), "enable" if enabled else "disable"
        with self._parts.transactions.begin() as session:
            if changed := self._changes.set_email(session, account, enabled, now=now):
                self._record(session, f"{word}-email-codes", account, by=by, now=now)
        return changed

    def remove_passkeys(self, account: Account, *, by: Operator | None = None) -> bool:
        """Remove all passkeys of the account. False when it had none."""
        now = int(self._parts.clock())
        with self._parts.transactions.begin() as session:
            if removed := self._changes.remove_passkeys(session, account, now):
                self._record(session, "disable-passkey", account, by=by, now=now)
        return removed

    def status(self, account_id: str) -> FactorStatus:
        """Which factors this account has enabled, and what is locked."""
        facts = {"totp": sql.TOTP_FACTS, "email": sql.EMAIL_FACTS, "passkey": sql.PASSKEY_FACTS}
        with self._parts.transactions.read() as session:
            found = {m: run(session, f, {"account": account_id}).first() for m, f in facts.items()}
            history = {m: FactorTimes(**row._mapping) for m, row in found.items() if row}
            return FactorStatus(
                totp="totp" in history,
                email="email" in history,
                backup_codes_left=totp.count_backup_codes(session, account_id),
                locked=locks(session, account_id),
                history=history,
                methods=self._methods,
            )

    def unlock(
        self, account: Account, *, by: str, address: str = "", agent: str = "", reason: str = ""
    ) -> tuple[str, ...]:
        """Delete the counts of all tries of the account; returns what was locked, sorted.

        `by` names who does it, for the audit log. The owner gets a mail when anything was locked.
        """
        actor = Actor(id=by, address=address, agent=agent, reason=reason)
        with self._parts.transactions.begin() as session:
            return self.unlock_in(session, account, actor, at=int(self._parts.clock()))

    def unlock_in(
        self, session: Session, account: Account, by: Who, *, at: int, method: str = ""
    ) -> tuple[str, ...]:
        """`unlock` in an open transaction, at `at` (epoch seconds)."""
        locked = unlock(session, account.id)
        outcome = "unlocked" if locked else "nothing-to-unlock"
        self._parts.audit.write(
            session, UNLOCK, by, at=at, target=account.id, method=method, outcome=outcome
        )
        if locked:
            self._changes.tell_unlocked(session, account, at)
        return locked

    def _record(
        self, session: Session, act: str, account: Account, *, by: Operator | None, now: int
    ) -> None:
        """Write the audit row of an operator. That of a request is written by who serves it."""
        if by is not None:
            self._parts.audit.write(session, act, by, at=now, target=account.id)
