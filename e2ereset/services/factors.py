"""Enrolling, disabling and listing second factors, and mailing a pending code again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pyotp
from sqlalchemy import Executable, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from e2ereset.audit import Entry
from e2ereset.budgets import locks, unlock
from e2ereset.errors import EnrolmentInvalid, FactorAlreadyEnabled
from e2ereset.models import BackupCode, EmailFactor, Totp, table
from e2ereset.records import Account
from e2ereset.sql import Inserts, PerDialect, Transactions, run
from e2ereset.stepup import StepUp
from e2ereset.strategies.base import Tools
from e2ereset.strategies.totp import (
    BACKUP_LENGTH,
    backup_digest,
    count_backup_codes,
    matching_steps,
)

SECRET_CHARACTERS = 32  # of base32: 160 bits, as RFC 4226 section 4 recommends
BACKUP_CODES = 12
UNLOCK = "unlock-factor"
"""The action of unlocking, in the audit log and in the demand for a second factor."""
UNAMBIGUOUS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

TOTPS, BACKUPS, EMAILS = table(Totp), table(BackupCode), table(EmailFactor)
MINE = TOTPS.c.account_id == bindparam("account")
GET_PENDING = select(TOTPS.c.pending_secret).where(MINE)
GET_ENABLED = select(TOTPS.c.enabled_at).where(MINE)
# An UPDATE that changes nothing: no new enrolment can come between a secret and its codes.
LOCK_SECRET = (
    update(TOTPS)
    .where(MINE, TOTPS.c.enabled_at.is_not(None))
    .values(last_step=TOTPS.c.last_step)
    .returning(TOTPS.c.secret)
)
CONFIRM = (
    update(TOTPS)
    .where(
        MINE,
        TOTPS.c.pending_secret == bindparam("sealed"),
        TOTPS.c.enabled_at.is_(None),
        TOTPS.c.last_step < bindparam("step"),
    )
    .values(
        secret=TOTPS.c.pending_secret,
        pending_secret=None,
        enabled_at=bindparam("now"),
        last_step=bindparam("step"),
    )
)
# The row stays for its last step: a code must not pass again after a new enrolment.
DISABLE = update(TOTPS).where(MINE).values(secret=None, pending_secret=None, enabled_at=None)
DROP_BACKUPS = delete(BACKUPS).where(BACKUPS.c.account_id == bindparam("account"))
ADD_BACKUPS = insert(BACKUPS)
DROP_EMAIL = delete(EMAILS).where(EMAILS.c.account_id == bindparam("account"))
GET_EMAIL = select(EMAILS.c.enabled_at).where(EMAILS.c.account_id == bindparam("account"))
ADD_EMAIL = PerDialect(lambda insert: insert(EMAILS).on_conflict_do_nothing())


@PerDialect
def BEGIN(insert: Inserts) -> Executable:
    """Store a pending secret, unless TOTP is enabled."""
    statement = insert(TOTPS)
    return statement.on_conflict_do_update(
        index_elements=[TOTPS.c.account_id],
        set_={"pending_secret": statement.excluded.pending_secret},
        where=TOTPS.c.enabled_at.is_(None),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What an authenticator app needs, shown once; `backup_codes` once it is confirmed."""

    secret: str = field(repr=False)
    url: str = field(repr=False)
    backup_codes: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorStatus:
    """Which second factors an account has enabled, and how many backup codes are left.

    `locked`: the purposes whose tries are locked after a hundred failures in a row, such as
    `verify:totp`, and `login:password` for sign-ins from addresses that the owner has not used.
    """

    totp: bool
    email: bool
    backup_codes_left: int
    locked: tuple[str, ...] = ()


class Factors:
    """The second factors of accounts; who may call this is the host's to check."""

    def __init__(
        self,
        transactions: Transactions,
        tools: Tools,
        stepup: StepUp,
        clock: Callable[[], float],
    ) -> None:
        self._transactions = transactions
        self._tools = tools
        self._stepup = stepup
        self._clock = clock

    def begin_totp(self, account: Account) -> Enrolment:
        """Make a pending secret in the place of an earlier one.

        Raises FactorAlreadyEnabled.
        """
        secret = pyotp.random_base32(SECRET_CHARACTERS)
        with self._transactions.begin() as session:
            self._begin(session, account, secret)
        return self._enrolment(account, secret)

    def confirm_totp(self, account: Account, code: str) -> tuple[str, ...]:
        """Enable the pending secret with a first code, which is spent by it: the backup codes.

        Tries count against the same budget as all TOTP codes. Raises EnrolmentInvalid,
        TooManyAttempts.
        """
        now = int(self._clock())
        windows = self._tools.settings.verify_windows
        charge = self._stepup.budgets.charge(account.id, "verify:totp", windows, now, guess=True)
        with self._transactions.begin() as session:
            secret = self._confirm(session, account, code, now)
            self._stepup.budgets.refund(session, charge)
            codes = self._renew_backup_codes(session, account, secret)
            self._tell(session, account, "TOTP was enabled", now)
        return codes

    def enrol_totp(self, account: Account) -> Enrolment:
        """Enable TOTP at once, for an operator who hands the secret over."""
        now, secret = int(self._clock()), pyotp.random_base32(SECRET_CHARACTERS)
        with self._transactions.begin() as session:
            sealed = self._begin(session, account, secret)
            # One step back, so that the very next code is good.
            step = now // 30 - 2
            run(session, CONFIRM, _confirmed(account, sealed, step, now))
            codes = self._renew_backup_codes(session, account, secret)
            self._tell(session, account, "TOTP was enabled", now)
        return self._enrolment(account, secret, codes)

    def disable_totp(self, account: Account) -> None:
        """Disable TOTP and drop its backup codes; nothing happens when it is not enabled."""
        with self._transactions.begin() as session:
            run(session, DISABLE, {"account": account.id})
            run(session, DROP_BACKUPS, {"account": account.id})
            self._tell(session, account, "TOTP was disabled", int(self._clock()))

    def renew_backup_codes(self, account: Account) -> tuple[str, ...]:
        """Twelve new backup codes in the place of the old ones. Raises EnrolmentInvalid."""
        with self._transactions.begin() as session:
            sealed = run(session, LOCK_SECRET, {"account": account.id}).scalar()
            if sealed is None:
                raise EnrolmentInvalid("TOTP is not enabled")
            codes = self._renew_backup_codes(session, account, self._open(account, sealed))
            self._tell(session, account, "New backup codes were made", int(self._clock()))
        return codes

    def set_email(self, account: Account, enabled: bool) -> None:
        """Enable or disable mailed codes; they work while the account has a verified address."""
        now = int(self._clock())
        with self._transactions.begin() as session:
            if enabled:
                ADD_EMAIL(session, {"account_id": account.id, "enabled_at": now})
            else:
                run(session, DROP_EMAIL, {"account": account.id})
            words = "Codes by e-mail were " + ("enabled" if enabled else "disabled")
            self._tell(session, account, words, now)

    def status(self, account_id: str) -> FactorStatus:
        """What is enabled for this account."""
        mine = {"account": account_id}
        with self._transactions.read() as session:
            return FactorStatus(
                totp=session.scalar(GET_ENABLED, mine) is not None,
                email=session.scalar(GET_EMAIL, mine) is not None,
                backup_codes_left=count_backup_codes(session, account_id),
                locked=locks(session, account_id),
            )

    def unlock(
        self, account: Account, *, by: str, address: str = "", agent: str = ""
    ) -> tuple[str, ...]:
        """Let all the account's methods be tried again at once; what was locked, sorted.

        `by` is who does it, for the audit log. The owner is told when anything was locked.
        """
        now = int(self._clock())
        with self._transactions.begin() as session:
            entry = Entry(
                at=now,
                action=UNLOCK,
                caller=by,
                target=account.id,
                method="",
                address=address,
                agent=agent,
                outcome="",
            )
            return self.unlock_in(session, account, entry)

    def unlock_in(self, session: Session, account: Account, entry: Entry) -> tuple[str, ...]:
        """`unlock` in an open transaction; the outcome of the audit `entry` is filled in."""
        locked = unlock(session, account.id)
        outcome = "unlocked" if locked else "nothing-to-unlock"
        self._stepup.audit.write(session, replace(entry, outcome=outcome))
        if locked:
            self._tell(session, account, "It was unlocked, after too many wrong tries", entry.at)
        return locked

    def _begin(self, session: Session, account: Account, secret: str) -> str:
        sealed = self._tools.keyring.seal("totp", account.id, secret)
        row = {"account_id": account.id, "pending_secret": sealed, "last_step": -1}
        if not BEGIN(session, row).rowcount:
            raise FactorAlreadyEnabled()
        return sealed

    def _confirm(self, session: Session, account: Account, code: str, now: int) -> str:
        """Enable the pending secret, which is returned. Raises EnrolmentInvalid."""
        if len(code) != 6 or not code.isascii() or not code.isdigit():
            raise EnrolmentInvalid()
        window, tried = self._tools.settings.totp_window, None
        # Once more when it was sealed again, or begun again, since it was read.
        while (sealed := session.scalar(GET_PENDING, {"account": account.id})) not in (None, tried):
            secret, tried = self._open(account, sealed), sealed
            for step in matching_steps(secret, code, now=now, window=window):
                if run(session, CONFIRM, _confirmed(account, sealed, step, now)).rowcount:
                    return secret
        raise EnrolmentInvalid()

    def _open(self, account: Account, sealed: str) -> str:
        return self._tools.keyring.open("totp", account.id, sealed)

    def _renew_backup_codes(
        self, session: Session, account: Account, secret: str
    ) -> tuple[str, ...]:
        choice = self._tools.entropy.choice
        codes: set[str] = set()
        while len(codes) < BACKUP_CODES:
            codes.add("".join(choice(UNAMBIGUOUS) for _ in range(BACKUP_LENGTH)))
        run(session, DROP_BACKUPS, {"account": account.id})
        digests = [backup_digest(secret, account.id, code) for code in codes]
        run(session, ADD_BACKUPS, [{"account_id": account.id, "digest": d} for d in digests])
        return tuple(codes)

    def _tell(self, session: Session, account: Account, change: str, now: int) -> None:
        facts = {"username": account.username, "at": now, "change": change}
        self._tools.outbox.put(session, "factor-changed", account.emails, facts, now=now)

    def _enrolment(self, account: Account, secret: str, codes: tuple[str, ...] = ()) -> Enrolment:
        issuer = self._tools.settings.totp_issuer
        url = pyotp.TOTP(secret).provisioning_uri(name=account.username, issuer_name=issuer)
        return Enrolment(secret=secret, url=url, backup_codes=codes)


def _confirmed(account: Account, sealed: str, step: int, now: int) -> dict[str, Any]:
    return {"account": account.id, "sealed": sealed, "step": step, "now": now}
