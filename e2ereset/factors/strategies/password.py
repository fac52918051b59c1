"""The password as a fallback: the host checks its SHA-256 hex."""

import re

from e2ereset.records import Attempt

from .base import Strategy

SHA256_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


class PasswordStrategy(Strategy):
    """The code is the SHA-256 hex of the password, any case. The password itself never passes."""

    name = "password"
    fallback = True

    def usable(self, attempt: Attempt) -> bool:
        """Whether the account has a password."""
        return attempt.account.has_password

    def verify(self, attempt: Attempt, code: str) -> bool:
        """Whether the host accepts the digest."""
        digest = code.strip().lower()
        if not SHA256_HEX.fullmatch(digest):
            return False
        return self.parts.accounts.check_password(attempt.session, attempt.account.id, digest)
