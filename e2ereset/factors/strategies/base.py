"""The base class of second-factor strategies."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from e2ereset.parts import Parts
from e2ereset.records import Attempt, Challenge
from e2ereset.store.retained import Encrypted

COUNTS_ALWAYS = 2**62


def counting(attempt: Attempt) -> int:
    """The newest `counts_from` of a factor that counts for this sign-in.

    A stolen sign-in must not be proven by a factor that the thief has enrolled with it.
    """
    return COUNTS_ALWAYS if attempt.signed_in_at is None else attempt.signed_in_at


class Strategy(ABC):
    """One second-factor method. The library counts, locks and chooses; a strategy only verifies.

    Every call gets an open transaction (`attempt.session`), which a strategy must not end. A
    strategy uses up a single-use code by one conditional statement in it.
    """

    name: ClassVar[str]
    """The method's name on the wire, as in `x-2fa-method`."""
    sends: ClassVar[bool] = False
    """Whether `challenge` sends something. If so, the library charges the sending budget first."""
    fallback: ClassVar[bool] = False
    """Whether it is only for accounts without another method. It is never listed."""
    on_page: ClassVar[bool] = False
    """Whether its proof is made on a page, from a challenge that is started and not sent. Clients
    that know only codes are asked for another method first."""
    encrypted: ClassVar[tuple[Encrypted, ...]] = ()
    """The columns of texts that `parts.keyring` encrypted; `keys rotate` encrypts them again."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @abstractmethod
    def usable(self, attempt: Attempt) -> bool:
        """Whether this account has the method enabled and working. Changes nothing."""

    def provable(self, attempt: Attempt) -> bool:  # noqa: ARG002
        """Whether a proof can come by this request. If not, its account has no second factor.

        The account is not spared the proof for that: the request is refused.
        """
        return True

    @abstractmethod
    def verify(self, attempt: Attempt, code: str) -> bool:
        """Whether the code is right for this account, action and target. If so, use it up.

        `code` can be any text: return False for a malformed one, and raise nothing.
        """

    def explain(self, attempt: Attempt, code: str) -> Mapping[str, Any]:  # noqa: ARG002
        """More `details` of the `totp-invalid` for a code that `verify` has just refused.

        `retryAfter`, in seconds, becomes the header too. Never tell which code could pass later, or
        how close a guess was.
        """
        return {}

    def pending(self, attempt: Attempt) -> Challenge | None:  # noqa: ARG002
        """The live challenge of this account and action; None when one must be started."""
        return None if self.sends or self.on_page else Challenge()

    def challenge(self, attempt: Attempt) -> Challenge:
        """Start a challenge, and describe it for the client. Only called when none is pending."""
        raise NotImplementedError(f"{self.name} starts no challenges")

    def another(self, attempt: Attempt) -> Challenge | None:
        """Start one more challenge, for a stranger who knows the name and is not signed in.

        None when nothing was started. A strategy that overrides this should keep the owner's
        pending code valid. By default it starts a normal challenge.
        """
        return self.challenge(attempt)
