"""The refusals and faults: a stable code, a text for people, details that are safe to show.

Nothing here knows HTTP; `http.envelope` makes an answer of each.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class E2EResetError(Exception):
    """The base class of all errors that this package raises on purpose."""


class SettingsError(E2EResetError):
    """A setting is unsafe, unknown or of the wrong type; the text says what to write instead."""


class HostError(E2EResetError, TypeError):
    """The host's code gave a wrong value; the text names the method, for the host's developer."""


class StrategyError(E2EResetError):
    """A second-factor method names no strategy, or more than one; the text lists the candidates."""


class Unavailable(E2EResetError):
    """A part that this call needs (database, limiter store) does not answer; try again later."""


class Busy(Unavailable):
    """Too many calls run at once; nothing was done. `retry_after` in seconds."""

    retry_after = 1


class Refusal(E2EResetError):
    """A decision not to do what was asked. It is no fault: what was written before it stays."""

    code: ClassVar[str] = "error-not-allowed"
    reason: ClassVar[str] = "Not allowed"
    plain: ClassVar[str] = ""
    """What a page says of it to people; empty: its words. Without values, as it is translated."""
    bracketed: ClassVar[bool] = True
    """Whether the text ends with the code in brackets."""
    typed: ClassVar[bool] = True
    """Whether clients are told the code apart from the text, too."""
    action: Any = None
    """The `records.Action` whose proof was refused, for the page that asks for the proof."""

    def __init__(self, reason: str | None = None, **details: Any) -> None:
        self.words = reason or self.reason
        self.details: Mapping[str, Any] = details
        super().__init__(self.text_of(self.words))

    @classmethod
    def text_of(cls, words: str) -> str:
        """The whole text of a refusal with these words."""
        return f"{words} [{cls.code}]".strip() if cls.bracketed else words


class NotSignedIn(Refusal):
    """The request has no live sign-in of an active account."""

    code = "error-not-signed-in"
    reason = "You must be logged in to do this."
    plain = "Sign in first."
    typed = False


class MissingPermission(Refusal):
    """No role of the caller holds a permission without which this cannot be asked for at all."""

    code = "error-unauthorized"
    reason = "User does not have the permissions required for this action"
    plain = "Your roles do not allow this."
    typed = False


class Forbidden(Refusal):
    """The caller may not do this. The answer says no more, or only the reason that is given."""

    code = "unauthorized"
    reason = "unauthorized"
    plain = "You may not do this."
    bracketed = typed = False


class InvalidParams(Refusal):
    """The body does not fit its schema."""

    code = "invalid-params"
    reason = "Invalid parameters"
    plain = (
        "Something in this form is missing or wrong. Go back, load the page again, and send "
        "it once more."
    )


class InvalidQuery(InvalidParams):
    """The query does not fit its schema."""

    code = "error-invalid-params"


class InvalidSort(Refusal):
    """The `sort` of the query is no JSON object of fields of the list, each 1 or -1."""

    code = "error-invalid-sort"
    reason = "Invalid sort parameter provided"


class CrossSite(Refusal):
    """A page of another site sent this request, and the browser added the sign-in by itself."""

    code = "error-cross-site-request"
    reason = "A page of another site may not do this with your sign-in"
    plain = (
        "The form came from another site, so nothing was done with your sign-in. Open the "
        "page here, and send it again."
    )


class TargetParamMissing(Refusal):
    """A target key is given but blank: it never means the caller's own account."""

    code = "error-user-param-not-provided"
    reason = 'The required "userId" or "username" param was not provided'


class TooManyRequests(Refusal):
    """The request rate of this address on this route is spent. `retry_after` in seconds.

    Requests for this `route` are counted in a `window` of so many seconds.
    """

    code = "error-too-many-requests"
    plain = "Too many requests came from your address."
    typed = False

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
    plain = "Prove first that it is you."


class FactorInvalid(Refusal):
    """The second factor was wrong, spent, expired, or of a method this account has not enabled."""

    code = "totp-invalid"
    reason = "TOTP Invalid"
    plain = "This code is not right. Look at it again, or wait for the next one."

    def __init__(self, **details: Any) -> None:
        self.retry_after = details.get("retryAfter")
        super().__init__(**details)


class TooManyAttempts(Refusal):
    """The budget of this account and method is spent; no code was compared, no mail was sent.

    `retry_after` in seconds; None when waiting does not help: a hundred failures in a row have
    locked the method, until it is unlocked.
    """

    code = "totp-max-attempts"
    reason = "TOTP Maximum Failed Attempts Reached"
    plain = "Too many codes were wrong, so none is accepted now."

    def __init__(self, retry_after: int | None, **details: Any) -> None:
        self.retry_after = retry_after
        wait = {"locked": True} if retry_after is None else {"retryAfter": retry_after}
        super().__init__(**wait, **details)

    @property
    def locked(self) -> bool:
        """Whether the method is locked, so that waiting does not help."""
        return self.retry_after is None


class NoFactor(Refusal):
    """The account has no usable second factor, and the workspace refuses such accounts."""

    code = "error-two-factor-not-available"
    reason = "No second factor is set up for your account. Set one up, then try again"
    plain = "No second factor is set up for your account. Set one up, then sign in again."


class GrantElsewhere(Refusal):
    """The grant of a machine does not hold for its address."""

    code = "error-grant-address"
    reason = "The grant of this token does not hold for your address"
    plain = "This token may not be used from your address."


class GrantSpent(Refusal):
    """The grant of a machine is used up for today. `retry_after`: seconds to the next day (UTC)."""

    code = "error-grant-spent"
    reason = "The grant of this token is used up for today"
    plain = "This token is used up for today."

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(retryAfter=retry_after)


class NotAllowed(Refusal):
    """The caller may not do this, or not to this target."""


class ResetHeld(Refusal):
    """Resets of this key are held, `details.until` then (ISO 8601)."""

    code = "error-reset-held"
    reason = "Resets of this key are held, as its owner asked for it"
    plain = "The key was not reset: its owner has asked to hold all resets of it."


class UnknownTarget(Refusal):
    """The named target does not exist. Only callers with the permission learn this."""

    code = "error-invalid-user"
    reason = 'The required "userId" or "username" param provided does not match any users'
    plain = "There is no such person."


class KeysAlreadySet(Refusal):
    """A key pair is stored already, and `force` was not given."""

    code = "error-keys-already-set"
    reason = "Keys already set"


class FactorAlreadyEnabled(Refusal):
    """TOTP is enabled for this account; disable it before a new enrolment."""

    code = "error-2fa-already-enabled"
    reason = "TOTP is enabled already. Disable it first"
    plain = "Your authenticator app is on already. Switch it off first."


class NoVerifiedAddress(Refusal):
    """An account without a verified address cannot enable codes by e-mail."""

    code = "error-invalid-user"
    reason = "You need to verify your emails before setting up 2FA"
    plain = "Verify your e-mail address first."


class TwoFactorOff(Refusal):
    """The workspace has switched the second factor off (E2ERESET_TWO_FACTOR)."""

    code = "error-two-factor-not-enabled"
    reason = "Two factor authentication is not enabled"


class EnrolmentInvalid(Refusal):
    """There is no pending enrolment, or the code does not confirm it."""

    code = "invalid-totp"
    reason = "Invalid TOTP"
    plain = "This code is not right, or the set-up has expired. Begin again."
