"""Personal access tokens: made, renewed, listed and ended by their owner."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from e2ereset import Action, Refusal, Runtime
from e2ereset.errors import NotAllowed, NotSignedIn
from e2ereset.records import ActionRequest, Passed, iso

from .tokens import (
    NewToken,
    TokenNameTaken,
    add_token,
    drop_named,
    list_personal,
    renew_token,
)

PERMISSION = "create-personal-access-tokens"
ADD, ADD_BYPASS = "add-token", "add-bypass-token"
RENEW, REMOVE = "regenerate-token", "remove-token"
METHODS = {ADD: "generateToken", ADD_BYPASS: "generateToken"}
METHODS |= {RENEW: "regenerateToken", REMOVE: "removeToken"}
"""How Rocket.Chat names what was asked for, in the details of its refusal."""
REMEMBERING = (ADD, REMOVE)
"""What a remembered proof is enough for: not what may hand out a token that skips all proofs."""
SKIPS = " that skips the second factor"
PHRASES = {
    ADD: "make a personal access token",
    ADD_BYPASS: f"make a personal access token{SKIPS}",
    RENEW: "regenerate a personal access token",
    REMOVE: "remove a personal access token",
}
"""What the owner reads. No name: who stole the sign-in could write any words into that mail."""


class NotAuthorized(Refusal):
    """No role of the caller holds the permission for personal access tokens."""

    code = "not-authorized"
    reason = "Not Authorized"


class TokenExists(Refusal):
    """The caller has a personal access token of this name."""

    code = "error-token-already-exists"
    reason = "A token with this name already exists"


class NoSuchToken(Refusal):
    """The caller has no personal access token of this name."""

    code = "error-token-does-not-exists"
    reason = "Token does not exist"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalTokens:
    """The use cases of one's own personal access tokens.

    All but the list are behind the second factor and the permission of the caller; the owner is
    told by mail. Raises the refusals of the second factor, and NotAuthorized.
    """

    runtime: Runtime

    def add(self, asked: ActionRequest, name: str, *, bypass: bool) -> str:
        """Make a token of this name, which never expires; the token.

        With `bypass` it skips the second factor; raises NotAllowed where E2ERESET_BYPASS_TOKENS is
        off. Raises TokenExists.
        """
        action = ADD_BYPASS if bypass else ADD
        return self._run(asked, action, name, partial(self._add, bypass=bypass))

    def renew(self, asked: ActionRequest, name: str) -> str:
        """Put a new token in the place of the one of this name; the new one.

        What it may skip stays as it was. Raises NoSuchToken.
        """
        return self._run(asked, RENEW, name, self._renew)

    def remove(self, asked: ActionRequest, name: str) -> None:
        """End the token of this name. Raises NoSuchToken."""
        self._run(asked, REMOVE, name, self._remove)

    def owned(self, user_id: str, now: int) -> list[dict[str, Any]]:
        """The live tokens of the user, oldest first, as the wire has them."""
        with self.runtime.transactions.read() as session:
            return [_facts(row) for row in list_personal(session, user_id, now)]

    def _run(
        self,
        asked: ActionRequest,
        action: str,
        name: str,
        act: Callable[[ActionRequest, str, Session], str],
    ) -> str:
        """Do it for the token of this name, to which the proof is bound."""
        target = f"{asked.caller.account.id}:{name}"
        of_token = Action(name=action, target=target, phrase=PHRASES[action])
        asked = replace(asked, action=of_token, remembers=action in REMEMBERING)

        def block(passed: Passed) -> str:
            """Check the permission as of now, then act."""
            roles = passed.caller.account.roles
            if not self.runtime.permissions.allows(passed.session, roles, PERMISSION):
                raise NotAuthorized(method=f"personalAccessTokens:{METHODS[action]}")
            return act(asked, name, passed.session)

        return self.runtime.stepup.run(asked, block, outcome="done")

    def _add(self, asked: ActionRequest, name: str, session: Session, *, bypass: bool) -> str:
        if bypass and not self.runtime.settings.bypass_tokens:
            raise NotAllowed("Tokens that skip the second factor are switched off here")
        new = NewToken(
            user_id=asked.caller.account.id,
            created_at=asked.now,
            expires_at=None,
            name=name,
            bypass_two_factor=bypass,
            address=asked.caller.address,
            agent=asked.caller.agent,
        )
        try:
            token = add_token(session, new, self.runtime.entropy)
        except TokenNameTaken:
            raise TokenExists() from None
        if token is None:  # disabled a moment ago
            raise NotSignedIn()
        self._tell(session, asked, f"The personal access token {name}{SKIPS * bypass} was made")
        return token

    def _renew(self, asked: ActionRequest, name: str, session: Session) -> str:
        owner, entropy = asked.caller.account.id, self.runtime.entropy
        token = renew_token(session, owner, name, asked.now, entropy=entropy)
        if token is None:
            raise NoSuchToken()
        words = f"The personal access token {name} was made anew; the old one has ended"
        self._tell(session, asked, words)
        return token

    def _remove(self, asked: ActionRequest, name: str, session: Session) -> str:
        if not drop_named(session, asked.caller.account.id, name):
            raise NoSuchToken()
        self._tell(session, asked, f"The personal access token {name} was ended")
        return ""

    def _tell(self, session: Session, asked: ActionRequest, words: str) -> None:
        owner, by = asked.caller.account, asked.caller
        self.runtime.mail_change(session, owner, words, now=asked.now, by=by)


def _facts(row: Any) -> dict[str, Any]:
    return {
        "name": row.name,
        "createdAt": iso(row.created_at),
        "lastTokenPart": row.last_part or "",
        "bypassTwoFactor": row.bypass_two_factor,
    }
