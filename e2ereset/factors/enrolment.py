"""Enrolling, disabling, listing and unlocking second factors."""

import base64
from dataclasses import dataclass, field

import pyotp
from sqlalchemy.orm import Session

from e2ereset.audit import Actor, Operator, Who
from e2ereset.errors import EnrolmentInvalid, FactorAlreadyEnabled, NoVerifiedAddress
from e2ereset.parts import Parts
from e2ereset.records import Account, Caller
from e2ereset.signals import factor_disabled, factor_enabled
from e2ereset.store.transactions import run
from e2ereset.typed import is_digits, plain_code

from . import statements as sql
from .budgets import Budgets, locks, unlock
from .strategies import totp

SECRET_CHARACTERS = 32  # in base32: 160 bits, as RFC 4226 section 4 recommends
SHORTEST_SECRET = 80  # bits of a secret from another server: some servers make such short ones
BACKUP_CODES = 12
UNLOCK = "unlock-factor"
"""The action's name, in the audit log and in the request for a second factor."""
UNAMBIGUOUS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What an authenticator app needs, shown once. `backup_codes` are empty until confirmed."""

    secret: str = field(repr=False)
    url: str = field(repr=False)
    backup_codes: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorStatus:
    """Which second factors an account has enabled, and how many backup codes are left.

    `locked`: the purposes that a hundred failures in a row have locked, such as `verify:totp`, and
    `login:password` for sign-ins from addresses that the owner has not used.
    """

    totp: bool
    email: bool
    backup_codes_left: int
    locked: tuple[str, ...] = ()


class Factors:
    """The second factors of accounts. The host checks who may call this."""

    def __init__(self, parts: Parts, budgets: Budgets) -> None:
        self._parts = parts
        self._budgets = budgets

    def begin_totp(self, account: Account) -> Enrolment:
        """Make a pending secret, which replaces an earlier one. Raises FactorAlreadyEnabled."""
        with self._parts.transactions.begin() as session:
            secret, _ = self._begin(session, account, None)
        return self._enrolment(account, secret)

    def confirm_totp(
        self, account: Account, code: str, *, caller: Caller | None = None
    ) -> tuple[str, ...]:
        """Enable the pending secret with a first code, which is then used up; the backup codes.

        The try is charged to the budget of all TOTP codes. With the `caller`, the owner is warned
        when the code is used again from elsewhere. Raises EnrolmentInvalid, TooManyAttempts.
        """
        now = int(self._parts.clock())
        windows = self._parts.settings.verify_windows
        charge = self._budgets.charge(account.id, "verify:totp", windows, now, guess=True)
        with self._parts.transactions.begin() as session:
            secret = self._confirm(session, account, code, now=now, caller=caller)
            self._budgets.refund(session, charge)
            codes = self._renew_backup_codes(session, account, secret)
            self._tell(session, account, "TOTP was enabled", now=now)
            self._parts.announcer.later(session, factor_enabled, account=account, method="totp")
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
            secret = self.enable_totp_in(session, account, secret, now)
            codes = self._renew_backup_codes(session, account, secret)
            self._tell(session, account, "TOTP was enabled", now=now, act="enable-totp", by=by)
        return self._enrolment(account, secret, codes)

    def enable_totp_in(
        self, session: Session, account: Account, secret: str | None, now: int
    ) -> str:
        """Enable TOTP in an open transaction, without backup codes or a mail; the secret.

        Raises as `enrol_totp` does.
        """
        secret, encrypted = self._begin(session, account, secret)
        # One step back, so that the very next code passes.
        step = now // totp.STEP_SECONDS - 2
        enabled = {"account": account.id, "encrypted": encrypted, "step": step, "now": now}
        if not run(session, sql.ENABLE, enabled).rowcount:
            raise EnrolmentInvalid("TOTP was not enabled: another enrolment came between")
        self._budgets.reopen(session, account.id, "verify:totp")
        self._parts.announcer.later(session, factor_enabled, account=account, method="totp")
        return secret

    def disable_totp(self, account: Account, *, by: Operator | None = None) -> bool:
        """Disable TOTP and delete its backup codes. False when it was not enabled.

        A pending enrolment is deleted too.
        """
        mine, now = {"account": account.id}, int(self._parts.clock())
        with self._parts.transactions.begin() as session:
            if not run(session, sql.DISABLE, mine).rowcount:
                run(session, sql.DROP_PENDING, mine)
                return False
            run(session, sql.DROP_BACKUPS, mine)
            self._tell(session, account, "TOTP was disabled", now=now, act="disable-totp", by=by)
            self._parts.announcer.later(session, factor_disabled, account=account, method="totp")
        return True

    def renew_backup_codes(
        self, account: Account, *, by: Operator | None = None
    ) -> tuple[str, ...]:
        """Replace the backup codes by twelve new ones. Raises EnrolmentInvalid without TOTP."""
        now, act = int(self._parts.clock()), "new-backup-codes"
        with self._parts.transactions.begin() as session:
            encrypted = run(session, sql.LOCK_SECRET, {"account": account.id}).scalar()
            if encrypted is None:
                raise EnrolmentInvalid("TOTP is not enabled")
            codes = self._renew_backup_codes(session, account, self._decrypt(account, encrypted))
            self._tell(session, account, "New backup codes were made", now=now, act=act, by=by)
        return codes

    def set_email(self, account: Account, enabled: bool, *, by: Operator | None = None) -> bool:
        """Enable or disable mailed codes; they work while the account has a verified address.

        Disabling deletes the codes that were mailed. False when nothing changed. Raises
        NoVerifiedAddress.
        """
        if enabled and not account.emails:
            raise NoVerifiedAddress()
        now, word = int(self._parts.clock()), "enable" if enabled else "disable"
        change, act = f"Codes by e-mail were {word}d", f"{word}-email-codes"
        with self._parts.transactions.begin() as session:
            if enabled:
                row = {"account_id": account.id, "enabled_at": now}
                changed = sql.ADD_EMAIL(session, row).rowcount
            else:
                changed = run(session, sql.DROP_EMAIL, {"account": account.id}).rowcount
                run(session, sql.DROP_CODES, {"account": account.id})
            if not changed:
                return False
            self._tell(session, account, change, now=now, act=act, by=by)
            signal = factor_enabled if enabled else factor_disabled
            self._parts.announcer.later(session, signal, account=account, method="email")
        return True

    def status(self, account_id: str) -> FactorStatus:
        """Which factors this account has enabled, and what is locked."""
        mine = {"account": account_id}
        with self._parts.transactions.read() as session:
            return FactorStatus(
                totp=session.scalar(sql.GET_ENABLED, mine) is not None,
                email=session.scalar(sql.GET_EMAIL, mine) is not None,
                backup_codes_left=totp.count_backup_codes(session, account_id),
                locked=locks(session, account_id),
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
            self._tell(session, account, "It was unlocked, after too many wrong tries", now=at)
        return locked

    def _begin(self, session: Session, account: Account, secret: str | None) -> tuple[str, str]:
        """Store a pending secret, which None makes; the secret and its encrypted text."""
        begin = sql.BEGIN_MADE if secret is None else sql.BEGIN_GIVEN
        secret = pyotp.random_base32(SECRET_CHARACTERS) if secret is None else _read_secret(secret)
        encrypted = self._parts.keyring.encrypt("totp", account.id, secret)
        row = {"account_id": account.id, "pending_secret": encrypted, "last_step": -1}
        if not begin(session, row).rowcount:
            raise FactorAlreadyEnabled()
        return secret, encrypted

    def _confirm(
        self, session: Session, account: Account, code: str, *, now: int, caller: Caller | None
    ) -> str:
        """Enable the pending secret, and return it. Raises EnrolmentInvalid."""
        code = plain_code(code)
        if not is_digits(code, totp.DIGITS):
            raise EnrolmentInvalid()
        window, tried = self._parts.settings.totp_window, None
        place = totp.place_of(self._parts.keyring, caller)
        mine = {"account": account.id}
        # Again if another secret, or another encryption of it, was stored since it was read.
        while (encrypted := session.scalar(sql.GET_PENDING, mine)) not in (None, tried):
            secret, tried = self._decrypt(account, encrypted), encrypted
            for step in totp.matching_steps(secret, code, now=now, window=window):
                used = {**mine, "encrypted": encrypted, "step": step, "now": now, **place}
                if run(session, sql.CONFIRM, used).rowcount:
                    return secret
        raise EnrolmentInvalid()

    def _decrypt(self, account: Account, encrypted: str) -> str:
        return self._parts.keyring.decrypt("totp", account.id, encrypted)

    def _renew_backup_codes(
        self, session: Session, account: Account, secret: str
    ) -> tuple[str, ...]:
        choice = self._parts.entropy.choice
        codes: set[str] = set()
        while len(codes) < BACKUP_CODES:
            codes.add("".join(choice(UNAMBIGUOUS) for _ in range(totp.BACKUP_LENGTH)))
        run(session, sql.DROP_BACKUPS, {"account": account.id})
        digests = [totp.backup_digest(secret, account.id, code) for code in codes]
        run(session, sql.ADD_BACKUPS, [{"account_id": account.id, "digest": d} for d in digests])
        return tuple(codes)

    def _tell(
        self,
        session: Session,
        account: Account,
        change: str,
        *,
        now: int,
        act: str = "",
        by: Operator | None = None,
    ) -> None:
        """Mail the change to the owner; write the audit row of the `act` of an operator.

        The audit row of a request is written by whoever serves the request.
        """
        self._parts.mail_owner(session, "factor-changed", account, now=now, change=change)
        if by is not None:
            self._parts.audit.write(session, act, by, at=now, target=account.id)

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
