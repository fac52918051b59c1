"""The changes of second factors, each inside an open transaction: what is stored, and told."""

import base64
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any

import pyotp
from sqlalchemy.orm import Session

from e2ereset.errors import EnrolmentInvalid, FactorAlreadyEnabled, NoVerifiedAddress
from e2ereset.parts import Parts
from e2ereset.records import Account, Caller
from e2ereset.signals import factor_disabled, factor_enabled
from e2ereset.store.transactions import run
from e2ereset.typed import is_digits, plain_code

from . import passkeys
from . import statements as sql
from .budgets import Budgets
from .strategies import totp

SECRET_CHARACTERS = 32  # in base32: 160 bits, as RFC 4226 section 4 recommends
SHORTEST_SECRET = 80  # bits of a secret from another server: some servers make such short ones
BACKUP_CODES = 12
LONGEST_LABEL = 64
"""Characters of a username that an app shows: no QR code holds 255 of every script."""
UNAMBIGUOUS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What an authenticator app needs, shown once. `backup_codes` are empty until confirmed."""

    secret: str = field(repr=False)
    url: str = field(repr=False)
    backup_codes: tuple[str, ...] = field(default=(), repr=False)


class FactorChanges:
    """Changes second factors, tells their owner and the host. The caller writes the audit row.

    `by` is the caller whose request it is, None for an operator or the host's own code.
    """

    def __init__(self, parts: Parts, budgets: Budgets) -> None:
        self._parts = parts
        self._budgets = budgets

    def begin_totp(self, session: Session, account: Account) -> Enrolment:
        """Store a pending secret, which replaces an earlier one. Raises FactorAlreadyEnabled."""
        return self.enrolment(account, self._begin(session, account, None)[0])

    def pending(self, session: Session, account: Account, secret: str) -> Enrolment | None:
        """The enrolment with this secret; None when no secret waits, or another one."""
        encrypted = session.scalar(sql.GET_PENDING, {"account": account.id})
        if encrypted is None or not compare_digest(self._decrypt(account, encrypted), secret):
            return None
        return self.enrolment(account, secret)

    def confirm_totp(
        self, session: Session, account: Account, code: str, *, now: int, by: Caller | None
    ) -> tuple[str, ...]:
        """Enable the pending secret with a first code, which is used up; the backup codes.

        Sign-ins that began earlier are not proven by it, if a caller enrols. Raises
        EnrolmentInvalid.
        """
        secret = self._confirm(session, account, code, now=now, by=by)
        self._drop_begun(session, account)
        codes = self._renew_codes(session, account, secret)
        self._tell(session, account, "The authenticator app was switched on", now=now, by=by)
        self._parts.announcer.later(session, factor_enabled, account=account, method="totp")
        return codes

    def enrol_totp(
        self, session: Session, account: Account, secret: str | None, now: int
    ) -> Enrolment:
        """Enable TOTP at once, with backup codes. Raises as `enable_totp` does."""
        secret = self.enable_totp(session, account, secret, now)
        codes = self._renew_codes(session, account, secret)
        self._tell(session, account, "The authenticator app was switched on", now=now)
        return self.enrolment(account, secret, codes)

    def enable_totp(self, session: Session, account: Account, secret: str | None, now: int) -> str:
        """Enable TOTP at once, without backup codes or a mail; the secret, which None makes.

        Locked tries at TOTP are unlocked. Raises FactorAlreadyEnabled, and EnrolmentInvalid for a
        malformed secret.
        """
        secret, encrypted = self._begin(session, account, secret)
        # One step back, so that the very next code passes.
        step = now // totp.STEP_SECONDS - 2
        enabled = {"account": account.id, "encrypted": encrypted, "step": step, "now": now}
        if not run(session, sql.ENABLE, enabled).rowcount:
            raise EnrolmentInvalid("TOTP was not enabled: another enrolment came between")
        self._drop_begun(session, account)
        self._budgets.reopen(session, account.id, "verify:totp")
        self._parts.announcer.later(session, factor_enabled, account=account, method="totp")
        return secret

    def disable_totp(
        self,
        session: Session,
        account: Account,
        *,
        now: int,
        by: Caller | None = None,
        signed_out: bool = False,
    ) -> bool:
        """Disable TOTP, and delete its backup codes and a pending enrolment. False if it was off.

        `signed_out`: the sign-ins of the account end with it.
        """
        mine = {"account": account.id}
        if not run(session, sql.DISABLE, mine).rowcount:
            run(session, sql.DROP_PENDING, mine)
            return False
        run(session, sql.DROP_BACKUPS, mine)
        change = "The authenticator app was switched off"
        self._tell(session, account, change, now=now, by=by, signed_out=signed_out)
        self._parts.announcer.later(session, factor_disabled, account=account, method="totp")
        return True

    def renew_backup_codes(
        self, session: Session, account: Account, *, now: int, by: Caller | None = None
    ) -> tuple[str, ...]:
        """Replace the backup codes by twelve new ones. Raises EnrolmentInvalid without TOTP."""
        encrypted = run(session, sql.LOCK_SECRET, {"account": account.id}).scalar()
        if encrypted is None:
            raise EnrolmentInvalid("TOTP is not enabled")
        codes = self._renew_codes(session, account, self._decrypt(account, encrypted))
        self._tell(session, account, "New backup codes were made", now=now, by=by)
        return codes

    def set_email(
        self,
        session: Session,
        account: Account,
        enabled: bool,
        *,
        now: int,
        by: Caller | None = None,
    ) -> bool:
        """Enable or disable mailed codes. False when nothing changed.

        Disabling deletes the codes that were mailed, enabling a pending TOTP. Sign-ins that began
        earlier are not proven by it, if a caller enables it. Raises NoVerifiedAddress.
        """
        if enabled and not account.emails:
            raise NoVerifiedAddress()
        if enabled:
            row = {"account_id": account.id, "enabled_at": now, "counts_from": by and now}
            changed = sql.ADD_EMAIL(session, row).rowcount
            # As a begun passkey: whoever began it did not prove this factor.
            run(session, sql.DROP_PENDING, {"account": account.id})
            self._drop_begun(session, account)
        else:
            changed = run(session, sql.DROP_EMAIL, {"account": account.id}).rowcount
            run(session, sql.DROP_CODES, {"account": account.id})
        if not changed:
            return False
        word = "switched on" if enabled else "switched off"
        self._tell(session, account, f"Codes by e-mail were {word}", now=now, by=by)
        signal = factor_enabled if enabled else factor_disabled
        self._parts.announcer.later(session, signal, account=account, method="email")
        return True

    def add_passkey(self, session: Session, row: dict[str, Any], by: Caller, now: int) -> bool:
        """Store a passkey of the caller's. False when its authenticator is registered already."""
        if not passkeys.ADD(session, row).rowcount:
            return False
        run(session, sql.DROP_PENDING, {"account": by.account.id})
        self._tell(session, by.account, "A passkey was added", now=now, by=by)
        self._parts.announcer.later(session, factor_enabled, account=by.account, method="passkey")
        return True

    def remove_passkey(self, session: Session, key: str, by: Caller, now: int) -> bool:
        """Remove a passkey of the caller's. False when there is none with this key."""
        account = by.account
        if not run(session, passkeys.REMOVE, {"account": account.id, "key": key}).rowcount:
            return False
        self._tell(session, account, "A passkey was removed", now=now, by=by)
        self._parts.announcer.later(session, factor_disabled, account=account, method="passkey")
        return True

    def remove_passkeys(self, session: Session, account: Account, now: int) -> bool:
        """Remove all passkeys of an account. False when it had none."""
        if not run(session, passkeys.REMOVE_ALL, {"account": account.id}).rowcount:
            return False
        self._tell(session, account, "All your passkeys were removed", now=now)
        self._parts.announcer.later(session, factor_disabled, account=account, method="passkey")
        return True

    def tell_unlocked(self, session: Session, account: Account, now: int) -> None:
        """Mail to the owner that the methods were unlocked."""
        self._tell(session, account, "It was unlocked, after too many wrong tries", now=now)

    def enrolment(self, account: Account, secret: str, codes: tuple[str, ...] = ()) -> Enrolment:
        """What the owner's authenticator app needs of this secret."""
        issuer = self._parts.settings.totp_issuer
        name = account.username[:LONGEST_LABEL]
        url = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)
        return Enrolment(secret=secret, url=url, backup_codes=codes)

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
        self, session: Session, account: Account, code: str, *, now: int, by: Caller | None
    ) -> str:
        """Enable the pending secret, and return it. Raises EnrolmentInvalid."""
        code = plain_code(code)
        if not is_digits(code, totp.DIGITS):
            raise EnrolmentInvalid()
        window, tried = self._parts.settings.totp_window, None
        place, since = totp.place_of(self._parts.keyring, by), by and now
        mine = {"account": account.id}
        # Again if another secret, or another encryption of it, was stored since it was read.
        while (encrypted := session.scalar(sql.GET_PENDING, mine)) not in (None, tried):
            secret, tried = self._decrypt(account, encrypted), encrypted
            for step in totp.matching_steps(secret, code, now=now, window=window):
                used = {**mine, "encrypted": encrypted, "step": step, "now": now, **place}
                if run(session, sql.CONFIRM, used | {"from": since}).rowcount:
                    return secret
        raise EnrolmentInvalid()

    def _drop_begun(self, session: Session, account: Account) -> None:
        """Drop a passkey that was begun without a factor that is new: nobody proved that one."""
        run(session, passkeys.DROP_BEGUN, {"account": account.id})

    def _decrypt(self, account: Account, encrypted: str) -> str:
        return self._parts.keyring.decrypt("totp", account.id, encrypted)

    def _renew_codes(self, session: Session, account: Account, secret: str) -> tuple[str, ...]:
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
        by: Caller | None = None,
        signed_out: bool = False,
    ) -> None:
        facts: dict[str, Any] = {"by": by.account.username if by else "", "signed_out": signed_out}
        mail = self._parts.mail_owner
        mail(session, "factor-changed", account, now=now, place=by, change=change, **facts)


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
