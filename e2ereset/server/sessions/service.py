"""Signing in and out: what is checked, in which order, and what each costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from flask import Flask, current_app
from sqlalchemy.orm import Session

from e2ereset import Account, Action, Caller, Proof, Refusal
from e2ereset.errors import FactorInvalid, NotSignedIn
from e2ereset.factors.stepup import Passed
from e2ereset.records import ActionRequest
from e2ereset.runtime import Runtime
from e2ereset.server.people.accounts import ServerAccounts
from e2ereset.server.settings import ServerSettings

from .login_budgets import NOBODY, BlockedForUser, Tried, Tries
from .schemas import Credentials, Resume
from .tokens import NewToken, add_token, drop_token, find_owner, make_token, sign_in_of

EXTENSION = "e2ereset.server"


class Unauthorized(Refusal):
    """The name, the password, the token or the whole form is wrong; which one is not said."""

    code = "Unauthorized"
    reason = "Unauthorized"


class NotActivated(Refusal):
    """The password is right, and the account is switched off."""

    code = "error-user-is-not-activated"
    reason = "User is not activated"


class NoRoles(Refusal):
    """The password is right, and the account has no role at all."""

    code = "error-user-has-no-roles"
    reason = "User has no roles"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A sign-in that holds."""

    user_id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """The use cases of signing in and out, of one app."""

    runtime: Runtime
    accounts: ServerAccounts
    settings: ServerSettings

    def sign_in(self, credentials: Credentials, address: str, agent: str) -> SignedIn:
        """Check the password, then the second factor, then make a token.

        Raises Unauthorized, BlockedForUser, BlockedForAddress, NotActivated, NoRoles, and what the
        second factor is refused with.
        """
        now, token = int(self.runtime.clock()), make_token(self.runtime.entropy)
        with self.accounts.hasher.sign_in_turn():  # before any look, which costs as much as most
            with self.runtime.transactions.read() as session:
                found = self._find(session, credentials)
            asked = None
            if found:
                caller = Caller(account=found, address=address, agent=agent)
                asked = _request(caller, credentials, now, token)
            asked, proven_by = self._check_password(asked, credentials, address, now)
        account = asked.caller.account
        if not account.active:
            raise NotActivated
        if not account.roles:
            raise NoRoles
        try:
            # The token commits with the proof that it was given for, or neither does.
            admit = partial(self._admit, asked=asked, token=token, proven_by=proven_by)
            return self.runtime.stepup.run(asked, admit)
        except NotSignedIn:  # switched off since its password was checked
            raise NotActivated from None
        except FactorInvalid:
            self.tries.count_failure(account, address, now)
            raise
        finally:
            self.runtime.wake()

    def add(
        self,
        session: Session,
        user_id: str,
        now: int,
        *,
        token: str | None = None,
        proven_by: str | None = None,
    ) -> SignedIn:
        """Make a token for this user, whose right to one is proven; or store the one that is given.

        Raises NotActivated, also where `proven_by` is not the stored hash of the password any more.
        """
        expires_at = now + self.settings.token_seconds
        new = NewToken(user_id=user_id, created_at=now, expires_at=expires_at, proven_by=proven_by)
        added = add_token(session, new, self.runtime.entropy, token=token)
        if added is None:
            raise NotActivated
        return SignedIn(user_id=user_id, token=added)

    def resume(self, resume: Resume) -> SignedIn:
        """Sign in by a live token, which stays as it is. Raises Unauthorized."""
        with self.runtime.transactions.read() as session:
            user_id = find_owner(session, resume.token, int(self.runtime.clock()))
        if user_id is None:
            raise Unauthorized
        return SignedIn(user_id=user_id, token=resume.token)

    def sign_out(self, signed_in: SignedIn) -> None:
        """End exactly this sign-in."""
        with self.runtime.transactions.begin() as session:
            drop_token(session, signed_in.user_id, signed_in.token)

    def _admit(self, passed: Passed, asked: ActionRequest, token: str, proven_by: str) -> SignedIn:
        caller, session = asked.caller, passed.session
        user_id = caller.account.id
        try:
            signed_in = self.add(session, user_id, asked.now, token=token, proven_by=proven_by)
        except NotActivated:  # it was active a moment ago: the password is another one by now
            raise Unauthorized from None
        self.tries.know(session, user_id, caller.address, asked.now)
        return signed_in

    def _check_password(
        self, asked: ActionRequest | None, credentials: Credentials, address: str, now: int
    ) -> tuple[ActionRequest, str]:
        """The request of the account whose password this is, and the hash that it proved right by.

        After the same work for everybody.
        """
        account = asked.caller.account if asked else None
        try:
            tried = self.tries.count(account, credentials, address, now)
        except BlockedForUser:
            self.accounts.hasher.dummy()
            raise
        account_id = account.id if account and tried.looks else NOBODY
        with self.runtime.transactions.begin() as session:
            proven_by = self.accounts.prove(session, account_id, credentials.digest)
            if asked and proven_by:
                self.tries.take_back(session, tried)
                return asked, proven_by
        self._warn(asked, tried, now)
        raise Unauthorized

    def _warn(self, asked: ActionRequest | None, tried: Tried, now: int) -> None:
        """Tell the owner that tries are spent; where there is nothing to tell, take the same time.

        Only an account's own budget can run out before that of the name: the time must not tell.
        """
        if asked and tried.locks:
            self.runtime.stepup.tell_locked(asked, "sign-in")
        elif asked and tried.spent:
            self.runtime.stepup.warn_spent(asked, "password")
        else:
            self.tries.warn_nobody(now)
        self.runtime.wake()

    @property
    def tries(self) -> Tries:
        """Counts the tries at passwords."""
        return Tries(runtime=self.runtime, settings=self.settings)

    def _find(self, session: Session, credentials: Credentials) -> Account | None:
        find = {
            "id": self.accounts.get,
            "username": self.accounts.find,
            "email": self.accounts.find_by_email,
        }[credentials.by]
        return find(session, credentials.name)


def _request(caller: Caller, credentials: Credentials, now: int, token: str) -> ActionRequest:
    account = caller.account
    return ActionRequest(
        caller=caller,
        proof=Proof(code=credentials.code),
        action=Action(name="login", target=account.id, phrase=f"sign in as {account.username}"),
        now=now,
        fallback=False,
        new_sign_in=sign_in_of(account.id, token),
    )


def current_sessions(app: Flask | None = None) -> Sessions:
    """The use cases of this app, or of the one at work."""
    sessions: Sessions = (app or current_app).extensions[EXTENSION]
    return sessions
