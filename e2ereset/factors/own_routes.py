"""The routes by which people look after their second factors, and `users.resetTOTP`."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response

from e2ereset.errors import (
    EnrolmentInvalid,
    FactorAlreadyEnabled,
    NotAllowed,
    NoVerifiedAddress,
    TargetParamMissing,
    TooManyAttempts,
    TwoFactorOff,
    UnknownTarget,
)
from e2ereset.http import Body, Described, Gates, envelope
from e2ereset.permissions.schemas import TARGET, target_named
from e2ereset.records import ActionRequest, Caller, iso

from . import own
from .enrolment import METHODS, FactorStatus
from .schemas import CODES, DISABLED, EMPTY, REMAINING, SECRET, STATUS, TOTP

StatusOf = Callable[[str], FactorStatus]
"""The factors of the account of this id."""


def add_routes(
    blueprint: Blueprint, factors: own.OwnFactors, status_of: StatusOf, gates: Gates
) -> None:
    """Put the routes on the blueprint."""
    _add_status(blueprint, status_of, gates)
    _add_email(blueprint, factors, gates)
    _add_totp(blueprint, factors, gates)
    _add_codes(blueprint, factors, gates)

    @blueprint.post("/users.resetTOTP")
    @Described(
        body=TARGET,
        step_up=True,
        refuses=(TargetParamMissing, NotAllowed, TwoFactorOff, UnknownTarget),
    )
    def reset_totp() -> Response:
        """Disable the caller's TOTP, or that of the named target."""
        with gates.entered(own.RESET) as asked:
            named = target_named(gates.body(TARGET))
            gates.rate_limit()
        with gates.waking():
            factors.reset_totp(asked.caller, named, asked.proof, asked.now)
        return envelope.success()


def _add_status(blueprint: Blueprint, status_of: StatusOf, gates: Gates) -> None:
    @blueprint.get("/users.2fa.status")
    @Described(answer=STATUS)
    def status() -> Response:
        """The caller's second factors: since when, last used, codes left. Never a secret."""
        with gates.entered("factor-status") as asked:
            gates.read_body().parsed()
            gates.rate_limit("read")
        found = status_of(asked.caller.account.id)
        told = {method: _told(found, method, asked.caller) for method in METHODS}
        return envelope.success(**told, backupCodesLeft=found.backup_codes_left)


def _told(status: FactorStatus, method: str, caller: Caller) -> dict[str, Any]:
    """A method of the caller, as on the wire."""
    locked, history = f"verify:{method}" in status.locked, status.history.get(method)
    if history is None:
        return {"enabled": False, "provesThisSignIn": False, "locked": locked}
    proves = status.proves(method, caller)
    used = {"lastUsedAt": iso(history.used_at)} if history.used_at is not None else {}
    times = {"enabledAt": iso(history.enabled_at), **used}
    return {"enabled": True, **times, "provesThisSignIn": proves, "locked": locked}


def _add_email(blueprint: Blueprint, factors: own.OwnFactors, gates: Gates) -> None:
    def set_email(act: str, enabled: bool) -> Response:
        """Switch mailed codes."""
        asked, _ = _entered(gates, act, EMPTY)
        with gates.waking():
            factors.set_email(asked.caller, enabled, asked.proof, asked.now)
        return envelope.success()

    @blueprint.post("/users.2fa.enableEmail")
    @Described(body=EMPTY, step_up=True, refuses=(NoVerifiedAddress,))
    def enable_email() -> Response:
        """Enable mailed codes for the caller, whose other sign-ins end."""
        return set_email(own.ENABLE_EMAIL, True)

    @blueprint.post("/users.2fa.disableEmail")
    @Described(body=EMPTY, step_up=True)
    def disable_email() -> Response:
        """Disable mailed codes for the caller."""
        return set_email(own.DISABLE_EMAIL, False)


def _add_totp(blueprint: Blueprint, factors: own.OwnFactors, gates: Gates) -> None:
    @blueprint.post("/users.enableTotp")
    @Described(body=EMPTY, answer=SECRET, step_up=True, refuses=(FactorAlreadyEnabled,))
    def enable_totp() -> Response:
        """Make a secret for the caller's authenticator app, which `validateTotp` enables."""
        asked, _ = _entered(gates, own.BEGIN, EMPTY)
        with gates.waking():
            made = factors.begin_totp(asked.caller, asked.proof, asked.now)
        return envelope.success(secret=made.secret, url=made.url)

    @blueprint.post("/users.validateTotp")
    @Described(body=TOTP, answer=CODES, refuses=(EnrolmentInvalid, TooManyAttempts))
    def validate_totp() -> Response:
        """Enable TOTP with a first code. The other sign-ins of the caller end."""
        asked, body = _entered(gates, own.CONFIRM, TOTP)
        with gates.waking():
            codes = factors.confirm_totp(asked.caller, body["code"], asked.now)
        return envelope.success(codes=codes)

    @blueprint.post("/users.disableTotp")
    @Described(body=TOTP, answer=DISABLED, refuses=(TooManyAttempts,))
    def disable_totp() -> Response:
        """Disable TOTP by a code, or a backup code, of it."""
        asked, body = _entered(gates, own.DISABLE, TOTP)
        with gates.waking():
            disabled = factors.disable_totp(asked.caller, body["code"], asked.now)
        return envelope.success(disabled=disabled)


def _add_codes(blueprint: Blueprint, factors: own.OwnFactors, gates: Gates) -> None:
    @blueprint.post("/users.regenerateTotpCodes")
    @Described(body=TOTP, answer=CODES, refuses=(EnrolmentInvalid, TooManyAttempts))
    def regenerate_codes() -> Response:
        """Replace the backup codes, by a code or a backup code."""
        asked, body = _entered(gates, own.RENEW, TOTP)
        with gates.waking():
            codes = factors.renew_backup_codes(asked.caller, body["code"], asked.now)
        if codes is None:
            raise EnrolmentInvalid()
        return envelope.success(codes=codes)

    @blueprint.get("/users.totpCodesRemaining")
    @Described(answer=REMAINING, refuses=(EnrolmentInvalid,))
    def count_codes() -> Response:
        """How many backup codes the caller has left."""
        with gates.entered("count-backup-codes") as asked:
            gates.read_body().parsed()
            gates.rate_limit("read")
            remaining = factors.count_backup_codes(asked.caller)
        return envelope.success(remaining=remaining)


def _entered(gates: Gates, act: str, schema: Body) -> tuple[ActionRequest, dict[str, Any]]:
    """The request of the caller for this act, and its body, within the rate."""
    with gates.entered(act) as asked:
        body = gates.body(schema)
        gates.rate_limit()
    return asked, body
