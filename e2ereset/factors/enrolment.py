"""Enrolling, disabling and listing second factors, and mailing a pending code again."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyotp
from sqlalchemy.orm import Session

from e2ereset.audit import Actor, Operator, Who
from e2ereset.errors import EnrolmentInvalid, FactorAlreadyEnabled, NoVerifiedAddress
from e2ereset.parts import Parts
from e2ereset.records import Account, Caller
from e2ereset.signals import factor_disabled, factor_enabled
from e2ereset.store.transactions import PerDialect, run
from e2ereset.typed import is_digits, plain_code

from .budgets import Budgets, locks, unlock
from .statements import (
    ADD_BACKUPS,
    ADD_EMAIL,
    BEGIN_GIVEN,
    BEGIN_MADE,
    CONFIRM,
    DISABLE,
    DROP_BACKUPS,
    DROP_CODES,
    DROP_EMAIL,
    DROP_PENDING,
    ENABLE,
    GET_EMAIL,
    GET_ENABLED,
    GET_PENDING,
    LOCK_SECRET,
)
from .strategies.totp import (
    BACKUP_LENGTH,
    DIGITS,
    STEP_SECONDS,
    backup_digest,
    count_backup_codes,
    matching_steps,
    place_of,
)

SECRET_CHARACTERS = 32  # of base32: 160 bits, as RFC 4226 section 4 recommends
SHORTEST_SECRET = 80  # bits, of one that comes from elsewhere: so short are those of some servers
BACKUP_CODES = 12
UNLOCK = "unlock-factor"
"""The action of unlocking, in the audit log and in the request for a second factor."""
UNAMBIGUOUS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


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

    def __init__(self, parts: Parts, budgets: Budgets) -> None:
        self._parts = parts
        self._transactions = parts.transactions
        self._clock = parts.clock
        self._budgets = budgets

    def begin_totp(self, account: Account) -> Enrolment:
        """Make a pending secret in the place of an earlier one.

        Raises FactorAlreadyEnabled.
        """
        secret = pyotp.random_base32(SECRET_CHARACTERS)
        with self._transactions.begin() as session:
            self._begin(session, account, secret, BEGIN_MADE)
        return self._enrolment(account, secret)

    def confirm_totp(
        self, account: Account, code: str, *, caller: Caller | None = None
    ) -> tuple[str, ...]:
        """Enable the pending secret with a first code, which is spent by it: the backup codes.

        Tries count against the same budget as all TOTP codes. With the `caller`, the owner is
        warned when the code comes again from elsewhere. Raises EnrolmentInvalid, TooManyAttempts.
        """
        now = int(self._clock())
        windows = self._parts.settings.verify_windows
        charge = self._budgets.charge(account.id, "verify:totp", windows, now, guess=True)
        with self._transactions.begin() as session:
            place = self._place(caller)
            secret = self._confirm(session, account, plain_code(code), {"now": now, **place})
            self._budgets.refund(session, charge)
            codes = self._renew_backup_codes(session, account, secret)
            self._tell(session, account, "TOTP was enabled", now)
            self._changed(session, account, "totp", enabled=True)
        return codes

    def enrol_totp(
        self, account: Account, *, secret: str | None = None, by: Operator | None = None
    ) -> Enrolment:
        """Enable TOTP at once, for an operator who hands the secret over.

        A `secret` in base32 comes from elsewhere; without one it is made. What was locked of TOTP
        is open again. Raises FactorAlreadyEnabled; EnrolmentInvalid for what is no secret.
        """
        now = int(self._clock())
        with self._transactions.begin() as session:
            secret = self.enable_totp_in(session, account, secret, now)
            codes = self._renew_backup_codes(session, account, secret)
            self._tell(session, account, "TOTP was enabled", now)
            self._note(session, account, by, "enable-totp", now)
        return self._enrolment(account, secret, codes)

    def enable_totp_in(
        self, session: Session, account: Account, secret: str | None, now: int
    ) -> str:
        """Enable TOTP in an open transaction, without backup codes, untold; the secret.

        Raises as `enrol_totp` does.
        """
        begin = BEGIN_MADE if secret is None else BEGIN_GIVEN
        secret = pyotp.random_base32(SECRET_CHARACTERS) if secret is None else _read_secret(secret)
        encrypted = self._begin(session, account, secret, begin)
        # One step back, so that the very next code is good.
        step = now // STEP_SECONDS - 2
        enabled = {"account": account.id, "encrypted": encrypted, "step": step, "now": now}
        if not run(session, ENABLE, enabled).rowcount:
            raise EnrolmentInvalid("TOTP was not enabled: another enrolment came between")
        self._budgets.reopen(session, account.id, "verify:totp")
        self._changed(session, account, "totp", enabled=True)
        return secret

    def disable_totp(self, account: Account, *, by: Operator | None = None) -> bool:
        """Disable TOTP and drop its backup codes. False when it was not enabled.

        A pending enrolment goes too.
        """
        mine, now = {"account": account.id}, int(self._clock())
        with self._transactions.begin() as session:
            if not run(session, DISABLE, mine).rowcount:
                run(session, DROP_PENDING, mine)
                return False
            run(session, DROP_BACKUPS, mine)
            self._tell(session, account, "TOTP was disabled", now)
            self._note(session, account, by, "disable-totp", now)
            self._changed(session, account, "totp", enabled=False)
        return True

    def renew_backup_codes(
        self, account: Account, *, by: Operator | None = None
    ) -> tuple[str, ...]:
        """Twelve new backup codes in the place of the old ones. Raises EnrolmentInvalid."""
        now = int(self._clock())
        with self._transactions.begin() as session:
            encrypted = run(session, LOCK_SECRET, {"account": account.id}).scalar()
            if encrypted is None:
                raise EnrolmentInvalid("TOTP is not enabled")
            codes = self._renew_backup_codes(session, account, self._decrypt(account, encrypted))
            self._tell(session, account, "New backup codes were made", now)
            self._note(session, account, by, "new-backup-codes", now)
        return codes

    def set_email(self, account: Account, enabled: bool, *, by: Operator | None = None) -> bool:
        """Enable or disable mailed codes; they work while the account has a verified address.

        Codes that wait are dead once it is disabled. False when it was so already. Raises
        NoVerifiedAddress.
        """
        if enabled and not account.emails:
            raise NoVerifiedAddress()
        now = int(self._clock())
        with self._transactions.begin() as session:
            if enabled:
                done = ADD_EMAIL(session, {"account_id": account.id, "enabled_at": now})
            else:
                done = run(session, DROP_EMAIL, {"account": account.id})
                run(session, DROP_CODES, {"account": account.id})
            if not done.rowcount:
                return False
            word = "enable" if enabled else "disable"
            self._tell(session, account, f"Codes by e-mail were {word}d", now)
            self._note(session, account, by, f"{word}-email-codes", now)
            self._changed(session, account, "email", enabled=enabled)
        return True

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
        self, account: Account, *, by: str, address: str = "", agent: str = "", reason: str = ""
    ) -> tuple[str, ...]:
        """Let all the account's methods be tried again at once; what was locked, sorted.

        `by` is who does it, for the audit log. The owner is told when anything was locked.
        """
        now = int(self._clock())
        with self._transactions.begin() as session:
            actor = Actor(id=by, address=address, agent=agent, reason=reason)
            return self.unlock_in(session, account, actor, at=now)

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
            self._tell(session, account, "It was unlocked, after too many wrong tries", at)
        return locked

    def _begin(self, session: Session, account: Account, secret: str, begin: PerDialect) -> str:
        encrypted = self._parts.keyring.encrypt("totp", account.id, secret)
        row = {"account_id": account.id, "pending_secret": encrypted, "last_step": -1}
        if not begin(session, row).rowcount:
            raise FactorAlreadyEnabled()
        return encrypted

    def _confirm(
        self, session: Session, account: Account, code: str, use: Mapping[str, Any]
    ) -> str:
        """Enable the pending secret, which is returned. Raises EnrolmentInvalid.

        `use` is when the code is used, and where.
        """
        if not is_digits(code, DIGITS):
            raise EnrolmentInvalid()
        window, tried = self._parts.settings.totp_window, None
        # Once more when it was encrypted again, or begun again, since it was read.
        while (encrypted := session.scalar(GET_PENDING, {"account": account.id})) not in (
            None,
            tried,
        ):
            secret, tried = self._decrypt(account, encrypted), encrypted
            for step in matching_steps(secret, code, now=use["now"], window=window):
                confirmed = {"account": account.id, "encrypted": encrypted, "step": step, **use}
                if run(session, CONFIRM, confirmed).rowcount:
                    return secret
        raise EnrolmentInvalid()

    def _place(self, caller: Caller | None) -> dict[str, str | None]:
        if caller is None:
            return {"from_address": None, "in_sign_in": None}
        return place_of(self._parts.keyring, caller.address, caller.sign_in)

    def _decrypt(self, account: Account, encrypted: str) -> str:
        return self._parts.keyring.decrypt("totp", account.id, encrypted)

    def _renew_backup_codes(
        self, session: Session, account: Account, secret: str
    ) -> tuple[str, ...]:
        choice = self._parts.entropy.choice
        codes: set[str] = set()
        while len(codes) < BACKUP_CODES:
            codes.add("".join(choice(UNAMBIGUOUS) for _ in range(BACKUP_LENGTH)))
        run(session, DROP_BACKUPS, {"account": account.id})
        digests = [backup_digest(secret, account.id, code) for code in codes]
        run(session, ADD_BACKUPS, [{"account_id": account.id, "digest": d} for d in digests])
        return tuple(codes)

    def _tell(self, session: Session, account: Account, change: str, now: int) -> None:
        facts = {"username": account.username, "at": now, "change": change}
        self._parts.jobs.put(session, "factor-changed", facts, recipients=account.emails, now=now)

    def _changed(self, session: Session, account: Account, method: str, *, enabled: bool) -> None:
        signal = factor_enabled if enabled else factor_disabled
        self._parts.announcer.later(session, signal, account=account, method=method)

    def _note(
        self, session: Session, account: Account, by: Operator | None, action: str, now: int
    ) -> None:
        """Write the audit row of an operator's act; that of a request is its own to write."""
        if by is not None:
            self._parts.audit.write(session, action, by, at=now, target=account.id)

    def _enrolment(self, account: Account, secret: str, codes: tuple[str, ...] = ()) -> Enrolment:
        issuer = self._parts.settings.totp_issuer
        url = pyotp.TOTP(secret).provisioning_uri(name=account.username, issuer_name=issuer)
        return Enrolment(secret=secret, url=url, backup_codes=codes)


def _read_secret(given: str) -> str:
    """A secret in base32 as authenticator apps write it. Raises EnrolmentInvalid."""
    secret = "".join(given.split()).replace("-", "").rstrip("=").upper()
    try:
        bits = 8 * len(base64.b32decode(secret + "=" * (-len(secret) % 8)))
    except ValueError:
        bits = 0
    if bits < SHORTEST_SECRET:
        raise EnrolmentInvalid(f"The secret is no base32 of {SHORTEST_SECRET} bits or more")
    return secret
