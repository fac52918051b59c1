"""Signing in and out: what is checked, and in which order."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flask import Flask, current_app
from sqlalchemy.orm import Session

from e2ereset import Action, Caller, Proof, Refusal, Runtime
from e2ereset.errors import FactorInvalid, NotSignedIn
from e2ereset.records import ActionRequest, Passed
from e2ereset.server.people import accounts
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.settings import ServerSettings

from .login_budgets import NOBODY, BlockedForUser, LoginBudgets, Tried
from .schemas import Credentials, Resume
from .tokens import NewToken, add_token, drop_token, find_owner, make_token, sign_in_of

EXTENSION = "e2ereset.server.sessions"
FIND = {
    "id": accounts.get_account,
    "username": accounts.find_account,
    "email": accounts.find_account_by_email,
}
NO_ENTRY = "This name or this password is not right, or this account cannot sign in."
"""The same for all: a page does not say which names are known."""


class Unauthorized(Refusal):
    """Name, password, token or form is wrong; the answer does not say which."""

    code = "Unauthorized"
    reason = "Unauthorized"
    plain = NO_ENTRY


class NotActivated(Refusal):
    """The password is right, and the account is disabled."""

    code = "error-user-is-not-activated"
    reason = "User is not activated"
    plain = NO_ENTRY


class NoRoles(Refusal):
    """The password is right, and the account has no role."""

    code = "error-user-has-no-roles"
    reason = "User has no roles"
    plain = NO_ENTRY


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A sign-in that succeeded."""

    user_id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """The use cases of signing in and out, of one app."""

    runtime: Runtime
    hasher: PasswordHasher
    settings: ServerSettings

    def sign_in(self, credentials: Credentials, address: str, agent: str) -> SignedIn:
        """Check the password, then the second factor, then make a token.

        Raises Unauthorized, BlockedForUser, BlockedForAddress, NotActivated, NoRoles, and what the
        second factor is refused with.
        """
        now, token = int(self.runtime.clock()), make_token(self.runtime.entropy)
        with self.hasher.sign_in_turn():  # first: a refusal for want of a turn costs nothing
            with self.runtime.transactions.look_up() as session:
                found = FIND[credentials.by](session, credentials.name)
            caller = Caller(account=found, address=address, agent=agent) if found else None
            asked = _request(caller, credentials, now, token) if caller else None
            asked, proven_by = self._check_password(asked, credentials, address, now)
        account = asked.caller.account
        if not account.active:
            raise NotActivated
        if not account.roles:
            raise NoRoles
        try:
            # The token and the proof that it was made for commit together, or neither does.
            admit = partial(self._admit, asked=asked, token=token, proven_by=proven_by)
            return self.runtime.stepup.run(asked, admit)
        except NotSignedIn:  # disabled since its password was checked
            raise NotActivated from None
        except FactorInvalid:
            self.budgets.count_failure(account, address, now)
            raise
        finally:
            self.runtime.wake()

    def add(
        self, session: Session, user_id: str, now: int, *, token: str | None = None, **facts: Any
    ) -> str:
        """Store a token of this user, whose right to one is proven; the token.

        It is a sign-in, or with a `name` a personal access token, which never expires; `facts` are
        those of `NewToken`. Raises TokenNameTaken, and NotActivated, also where `proven_by` is not
        the stored hash of the password any more.
        """
        is_personal = facts.get("name") is not None
        expires_at = None if is_personal else now + self.settings.token_seconds
        new = NewToken(user_id=user_id, created_at=now, expires_at=expires_at, **facts)
        added = add_token(session, new, self.runtime.entropy, token=token)
        if added is None:
            raise NotActivated
        return added

    def resume(self, resume: Resume) -> SignedIn:
        """Sign in by a live token, which stays as it is. Raises Unauthorized."""
        with self.runtime.transactions.look_up() as session:
            user_id = find_owner(session, resume.token, int(self.runtime.clock()))
        if user_id is None:
            raise Unauthorized
        return SignedIn(user_id=user_id, token=resume.token)

    def sign_out(self, user_id: str, token: str) -> None:
        """End exactly this sign-in."""
        with self.runtime.transactions.begin() as session:
            drop_token(session, user_id, token)

    def _admit(self, passed: Passed, asked: ActionRequest, token: str, proven_by: str) -> SignedIn:
        session, user_id, now = passed.session, asked.caller.account.id, asked.now
        try:
            place = {"address": asked.caller.address, "agent": asked.caller.agent}
            self.add(session, user_id, now, token=token, proven_by=proven_by, **place)
        except NotActivated:  # it was active a moment ago: its password has changed
            raise Unauthorized from None
        self.budgets.know(session, user_id, asked.caller.address, now)
        return SignedIn(user_id=user_id, token=token)

    def _check_password(
        self, asked: ActionRequest | None, credentials: Credentials, address: str, now: int
    ) -> tuple[ActionRequest, str]:
        """The request of the account whose password this is, and the hash that it proved right by.

        The work is the same for everybody.
        """
        account = asked.caller.account if asked else None
        try:
            tried = self.budgets.count(account, credentials, address, now)
        except BlockedForUser:
            self.hasher.dummy()
            raise
        account_id = account.id if account and tried.looks else NOBODY
        with self.runtime.transactions.begin() as session:
            digest = credentials.digest
            proven_by = accounts.prove_password(session, self.hasher, account_id, digest)
            if asked and proven_by:
                self.budgets.take_back(session, tried)
                return asked, proven_by
        self._warn(asked, tried, now)
        raise Unauthorized

    def _warn(self, asked: ActionRequest | None, tried: Tried, now: int) -> None:
        """Tell the owner that the budget is spent; where it is not, take the same time.

        The account's own budget may be spent before that of the name: the time must not show it.
        """
        if asked and tried.locks:
            self.runtime.traces.tell_locked(asked, "sign-in")
        elif asked and tried.spent:
            self.runtime.traces.warn_spent(asked, "password")
        else:
            self.budgets.warn_nobody(now)
        self.runtime.wake()

    @property
    def budgets(self) -> LoginBudgets:
        """Counts the tries at passwords."""
        return LoginBudgets(runtime=self.runtime, settings=self.settings)


def _request(caller: Caller, credentials: Credentials, now: int, token: str) -> ActionRequest:
    account = caller.account
    return ActionRequest(
        caller=caller,
        proof=Proof(code=credentials.code, method=credentials.method),
        action=Action(name="login", target=account.id, phrase=f"sign in as {account.username}"),
        now=now,
        fallback=False,
        new_sign_in=sign_in_of(account.id, token),
    )


def current_sessions(app: Flask | None = None) -> Sessions:
    """The sessions of this app, or of the current one."""
    sessions: Sessions = (app or current_app).extensions[EXTENSION]
    return sessions
