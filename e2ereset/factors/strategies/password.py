"""The password as a fallback: the host checks its SHA-256 hex, or on pages the password itself."""

import re

from e2ereset.ports import ChecksPlainPasswords
from e2ereset.records import Attempt

from .base import Strategy

SHA256_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


class PasswordStrategy(Strategy):
    """The code is the SHA-256 hex of the password, any case. On a page it is the password."""

    name = "password"
    fallback = True

    def usable(self, attempt: Attempt) -> bool:
        """Whether the account has a password, and a way to prove it."""
        account, accounts = attempt.account, self.parts.accounts
        can_type = isinstance(accounts, ChecksPlainPasswords)
        return account.has_password and (can_type or not account.password_by_page)

    def provable(self, attempt: Attempt) -> bool:
        """Whether the request is a page's, or the host can check a digest."""
        return attempt.typed is not None or not attempt.account.password_by_page

    def verify(self, attempt: Attempt, code: str) -> bool:
        """Whether the host accepts the digest, or what was typed into a page."""
        accounts = self.parts.accounts
        if attempt.typed and isinstance(accounts, ChecksPlainPasswords):
            session, account_id = attempt.session, attempt.account.id
            return accounts.check_plain_password(session, account_id, attempt.typed)
        digest = code.strip().lower()
        if not SHA256_HEX.fullmatch(digest):
            return False
        return accounts.check_password(attempt.session, attempt.account.id, digest)
