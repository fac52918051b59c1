"""The tree of refusals and faults: a stable code, words for a person, data that is safe to show.

Nothing here knows HTTP; `web.envelope` turns each into its answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class E2EResetError(Exception):
    """The root of all that this package raises on purpose."""


class SettingsError(E2EResetError):
    """A setting is unsafe, unknown or of the wrong type; the text says what to write instead."""


class HostError(E2EResetError, TypeError):
    """The host's code gave what it must not; the text is for its developer and names the method."""


class StrategyError(E2EResetError):
    """A second-factor method names no strategy, or more than one; the text lists the candidates."""


class Unavailable(E2EResetError):
    """A part that this call needs (database, limiter store) is gone; trying later may work."""


class Busy(Unavailable):
    """As much is under way as may be at once; nothing was done. `retry_after` in seconds."""

    retry_after = 1


class Refusal(E2EResetError):
    """A decision not to do what was asked. It is not a fault: what it wrote stays written."""

    code: ClassVar[str] = "error-not-allowed"
    reason: ClassVar[str] = "Not allowed"

    def __init__(self, reason: str | None = None, **details: Any) -> None:
        self.words = reason or self.reason
        self.details: Mapping[str, Any] = details
        super().__init__(f"{self.words} [{self.code}]")


class NotSignedIn(Refusal):
    """No live sign-in of an active account came with the request."""

    code = "error-not-signed-in"
    reason = "You must be logged in to do this."


class InvalidParams(Refusal):
    """The body or the query does not fit its schema."""

    code = "invalid-params"
    reason = "Invalid parameters"


class CrossSite(Refusal):
    """A page of another site sent this request, and the browser added the sign-in by itself."""

    code = "error-cross-site-request"
    reason = "A page of another site may not do this with your sign-in"


class TargetParamMissing(Refusal):
    """A target key is there, but blank: never to be taken for one's own account."""

    code = "error-user-param-not-provided"
    reason = 'The required "userId" or "username" param was not provided'


class TooManyRequests(Refusal):
    """The request rate of this address on this route is spent. `retry_after` in seconds.

    `route` is what is counted, and `window` how long it is counted for, in seconds.
    """

    code = "error-too-many-requests"

    def __init__(self, retry_after: int, *, route: str = "", window: int = 60) -> None:
        self.retry_after = retry_after
        self.route, self.window = route, window
        super().__init__(
            "Error, too many requests. Please slow down. "
            f"You must wait {retry_after} seconds before trying this endpoint again."
        )


class FactorRequired(Refusal):
    """The second factor is still missing; `details` name the method and what was sent where."""

    code = "totp-required"
    reason = "TOTP Required"


class FactorInvalid(Refusal):
    """The second factor was wrong, spent, expired, or of a method this account has not enabled."""

    code = "totp-invalid"
    reason = "TOTP Invalid"

    def __init__(self, **details: Any) -> None:
        self.retry_after = details.get("retryAfter")
        super().__init__(**details)


class TooManyAttempts(Refusal):
    """The budget of this account and method is spent; nothing was looked at, nothing was sent.

    `retry_after` in seconds; None when waiting does not help: after a hundred failures in a row the
    method is locked until it is unlocked.
    """

    code = "totp-max-attempts"
    reason = "TOTP Maximum Failed Attempts Reached"

    def __init__(self, retry_after: int | None, **details: Any) -> None:
        self.retry_after = retry_after
        wait = {"locked": True} if retry_after is None else {"retryAfter": retry_after}
        super().__init__(**wait, **details)

    @property
    def locked(self) -> bool:
        """Whether only unlocking helps."""
        return self.retry_after is None


class NoFactor(Refusal):
    """The account has no usable second factor, and the workspace refuses such accounts."""

    code = "error-two-factor-not-available"
    reason = "No second factor is set up for your account. Set one up, then try again"


class NotAllowed(Refusal):
    """The caller may not do this, or not to this target."""


class UnknownTarget(Refusal):
    """The named target does not exist. Only raised to callers who may know."""

    code = "error-invalid-user"
    reason = 'The required "userId" or "username" param provided does not match any users'


class KeysAlreadySet(Refusal):
    """A key pair is stored already, and `force` was not given."""

    code = "error-keys-already-set"
    reason = "Keys already set"


class FactorAlreadyEnabled(Refusal):
    """TOTP is enabled for this account; disable it before a new enrolment."""

    code = "error-2fa-already-enabled"
    reason = "TOTP is enabled already. Disable it first"


class NoVerifiedAddress(Refusal):
    """Codes by e-mail were to be enabled for an account without a verified address to mail to."""

    code = "error-no-verified-email"
    reason = "The account has no verified e-mail address. Verify one, then enable codes by e-mail"


class EnrolmentInvalid(Refusal):
    """There is no pending enrolment, or the code does not confirm it."""

    code = "invalid-totp"
    reason = "Invalid TOTP"
