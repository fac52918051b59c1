"""Finds the account that an action is for, by the rules of SPEC 1 for naming another user."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from e2ereset.errors import NotAllowed, UnknownTarget
from e2ereset.parts import Parts
from e2ereset.records import Account, ActionRequest, Caller, Passed, TargetName

from .service import Permissions


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Finds the accounts that callers name, if the caller may know that they exist."""

    parts: Parts
    permissions: Permissions

    def bound(self, caller: Caller, named: TargetName, permission: str) -> tuple[str, str]:
        """The id that a proof for the named account is bound to, and its name for a mail."""
        self.permissions.seed_once()
        with self.parts.transactions.look_up() as session:
            found = None
            # Without the permission nothing is looked up: neither mail nor time shows who exists.
            if self.permissions.allows(session, caller.account.roles, permission):
                found = self._find(session, named)
        # A mail never quotes a name that the caller typed and nobody has.
        return (found.id, found.username) if found else (str(named), "another user")

    def permitted(
        self, passed: Passed, asked: ActionRequest, named: TargetName, permission: str
    ) -> Account:
        """The named account, read in the action's transaction.

        Raises NotAllowed when the caller lacks the permission, which is checked first (SPEC 1),
        when the target outranks the caller, or when the proof was for another account. Raises
        UnknownTarget.
        """
        target = self.seen(passed.session, passed.caller, named, permission)
        if target.id != asked.action.target:
            raise NotAllowed("The target has changed meanwhile. Try again")
        return target

    def seen(self, session: Session, caller: Caller, named: TargetName, permission: str) -> Account:
        """The named account, if the caller may act on it now. Raises as `permitted` does."""
        actor = caller.account
        if not self.permissions.allows(session, actor.roles, permission):
            raise NotAllowed()
        target = self._find(session, named)
        if target is None:
            raise UnknownTarget()
        outranks = self.permissions.outranks
        if not outranks(session, actor.roles, target.roles, peers=self.parts.settings.peer_resets):
            raise NotAllowed()
        return target

    def _find(self, session: Session, named: TargetName) -> Account | None:
        if named.user_id is not None:
            return self.parts.accounts.get(session, named.user_id)
        return self.parts.accounts.find(session, named.username or "")
