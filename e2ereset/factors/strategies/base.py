"""What a second-factor strategy is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from e2ereset.parts import Parts
from e2ereset.records import Attempt, Challenge
from e2ereset.store.retained import Encrypted


class Strategy(ABC):
    """One second-factor method. The host counts, locks and chooses; a strategy only verifies.

    All calls are within an open transaction (`attempt.session`) that a strategy must not end. A
    single-use code is burnt by one conditional statement in it.
    """

    name: ClassVar[str]
    """The method's name on the wire, as in `x-2fa-method`."""
    sends: ClassVar[bool] = False
    """Whether `challenge` sends something; the host then charges the sending budget first."""
    fallback: ClassVar[bool] = False
    """Whether it only serves accounts without another method, and is never listed."""
    encrypted: ClassVar[tuple[Encrypted, ...]] = ()
    """The columns of texts that `parts.keyring` encrypted, for `keys rotate` to encrypt again."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @abstractmethod
    def usable(self, attempt: Attempt) -> bool:
        """Whether this account has the method enabled and working. Changes nothing."""

    @abstractmethod
    def verify(self, attempt: Attempt, code: str) -> bool:
        """Whether the code proves the account for this action and target; burns it if so.

        Any text can come as `code`: what does not look like one is False, never an exception.
        """

    def explain(self, attempt: Attempt, code: str) -> Mapping[str, Any]:  # noqa: ARG002
        """What the client is told of a code that `verify` has just refused; nothing by default.

        It joins the `details` of `totp-invalid`; `retryAfter`, in seconds, becomes the header too.
        Never tell what could pass later, or how near a guess was.
        """
        return {}

    def pending(self, attempt: Attempt) -> Challenge | None:  # noqa: ARG002
        """The live challenge of this account and action; None when one must be started."""
        return None if self.sends else Challenge()

    def challenge(self, attempt: Attempt) -> Challenge:
        """Start a challenge: what the client is told. Only called when none is pending."""
        raise NotImplementedError(f"{self.name} starts no challenges")

    def another(self, attempt: Attempt) -> Challenge | None:
        """Start one more, as somebody has asked who knows the name and is not signed in.

        None when nothing was started. What the owner has in hand should stay good, which a
        strategy has to see to itself; by default it is a challenge like any other.
        """
        return self.challenge(attempt)
