"""Deletes accounts, and switches them on and off, for an administrator."""

from dataclasses import dataclass

from e2ereset import Runtime
from e2ereset.errors import MissingPermission
from e2ereset.records import ActionRequest, Passed, TargetName

from .acts import Change
from .administration import delete_user, set_active
from .permitted import change_of, check_target, find_target, run_act
from .refusals import undoing

DELETE = "delete-user"
ACTIVATE = ("edit-other-user-active-status", "manage-moderation-actions")
"""One of them is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanges:
    """Acts on accounts that need no second factor in the reference either."""

    runtime: Runtime

    def delete(self, asked: ActionRequest, named: TargetName, *, relinquish: bool) -> list[str]:
        """Delete the named user; the ids of the rooms that are deleted, too.

        Raises MissingPermission, UnknownTarget, NotAllowed, AdminRequired, and UserLastOwner unless
        it may `relinquish` rooms.
        """

        def delete(passed: Passed) -> list[str]:
            """Delete the user, or do nothing."""
            change = self._begin(passed, named, DELETE)
            with undoing():
                return delete_user(change, relinquish=relinquish)

        return run_act(self.runtime, asked, delete, target=str(named))

    def set_active(
        self, asked: ActionRequest, user_id: str, active: bool, *, relinquish: bool
    ) -> None:
        """Let this user sign in, or not any more, which ends the sign-ins. Raises as `delete`."""

        def switch(passed: Passed) -> None:
            """Switch the account, or do nothing."""
            change = self._begin(passed, TargetName(user_id=user_id), *ACTIVATE)
            with undoing():
                set_active(change, active, relinquish=relinquish)

        run_act(self.runtime, asked, switch, target=user_id)

    def _begin(self, passed: Passed, named: TargetName, *permissions: str) -> Change:
        """The change of the named user, for a caller with one of the permissions."""
        allows, roles = self.runtime.permissions.allows, passed.caller.account.roles
        if not any(allows(passed.session, roles, one) for one in permissions):
            raise MissingPermission()
        target = find_target(passed.session, named)
        check_target(self.runtime, passed, target)
        return change_of(self.runtime, passed, target)
