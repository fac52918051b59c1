"""Whose account an action is for: the rules of SPEC 1 for naming somebody else."""

from __future__ import annotations

from sqlalchemy.orm import Session

from e2ereset.errors import NotAllowed, UnknownTarget
from e2ereset.parts import Parts
from e2ereset.records import Account, ActionRequest, Caller, Passed, TargetName

from .service import Permissions


class Targets:
    """Finds the accounts that callers name, for those who may know that they exist."""

    def __init__(self, parts: Parts, permissions: Permissions) -> None:
        self._accounts = parts.accounts
        self._peers = parts.settings.peer_resets
        self._transactions = parts.transactions
        self._permissions = permissions

    def bound(self, caller: Caller, named: TargetName, permission: str) -> tuple[str, str]:
        """What a proof for the named account is bound to, and what a mail calls it."""
        self._permissions.seed_once()
        with self._transactions.read() as session:
            found = None
            # Who may not ask gets no look-up: neither the mail nor the time says who exists.
            if self._permissions.allows(session, caller.account.roles, permission):
                found = self._find(session, named)
        # What the caller typed is no name of anybody: it would stand in a mail of ours.
        return (found.id, found.username) if found else (str(named), "another user")

    def permitted(
        self, passed: Passed, asked: ActionRequest, named: TargetName, permission: str
    ) -> Account:
        """The named account, in the action's transaction.

        Raises NotAllowed where the caller lacks the permission, checked before the target is looked
        for (SPEC 1), is outranked, or proved it for another account; UnknownTarget.
        """
        session, actor = passed.session, passed.caller.account
        if not self._permissions.allows(session, actor.roles, permission):
            raise NotAllowed()
        target = self._find(session, named)
        if target is None:
            raise UnknownTarget()
        outranks = self._permissions.outranks
        if not outranks(session, actor.roles, target.roles, peers=self._peers):
            raise NotAllowed()
        if target.id != asked.action.target:
            raise NotAllowed("The target has changed meanwhile. Try again")
        return target

    def _find(self, session: Session, named: TargetName) -> Account | None:
        if named.user_id is not None:
            return self._accounts.get(session, named.user_id)
        return self._accounts.find(session, named.username or "")
