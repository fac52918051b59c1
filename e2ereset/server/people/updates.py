"""Changes what is known of an account, for an administrator: behind the second factor."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from e2ereset import Account, Action, Caller, Runtime
from e2ereset.errors import NotAllowed
from e2ereset.records import ActionRequest, Passed, name_key

from . import profiles, vetting
from .accounts import get_account
from .acts import Change
from .administration import (
    add_address,
    change_profile,
    change_roles,
    rename,
    set_active,
    set_password,
    verify_address,
)
from .changes import ACTIVATE
from .directory import VIEW_ALL
from .new_accounts import PASSWORD_BYTES
from .new_passwords import NewPasswords
from .permitted import change_of, check_roles, check_target, noting, run_act
from .refusals import PersonGone, undoing
from .service import addresses_of, person_of

UPDATE = "update-user"
EDIT, EDIT_PASSWORD = "edit-other-user-info", "edit-other-user-password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """Changes accounts over the API."""

    runtime: Runtime
    passwords: NewPasswords

    def update(
        self, asked: ActionRequest, user_id: str, data: Mapping[str, Any], relinquish: bool
    ) -> dict[str, Any]:
        """Change the user of this id; the user afterwards, as far as the caller may see it.

        Raises the refusals of the second factor, ActionNotAllowed, PersonGone, NotAllowed, what a
        new value is refused with, and UserLastOwner unless the user may `relinquish` rooms.
        """
        asked = replace(asked, action=self._action(asked.caller, user_id))
        with noting(self.runtime, asked):
            new_hash = self._hash(asked.caller, data)
        act = partial(self._update, user_id, data, new_hash, relinquish=relinquish)
        return run_act(self.runtime, replace(asked, remembers=True), act, proven=True)

    def _action(self, caller: Caller, user_id: str) -> Action:
        """What a proof is for; its mail names the user only to who may know that there is one."""
        found: Account | None = caller.account
        if user_id != caller.account.id:
            with self.runtime.transactions.look_up() as session:
                may = self._allows(session, caller, EDIT)
                found = get_account(session, user_id) if may else None
        name = found.username if found else "another user"
        return Action(name=UPDATE, target=user_id, phrase=f"change the account of {name}")

    def _hash(self, caller: Caller, data: Mapping[str, Any]) -> str | None:
        """The hash of the new password, made before anything is locked; None to keep the old one.

        As in the reference, a password of a caller who may not set one is ignored.
        """
        password = data.get("password")
        if data.get("setRandomPassword"):
            password = self.runtime.entropy.token_urlsafe(PASSWORD_BYTES)
        with self.runtime.transactions.look_up() as session:
            if not password or not self._allows(session, caller, EDIT_PASSWORD):
                return None
        return self.passwords.hash_in_turn(password)

    def _update(
        self,
        user_id: str,
        data: Mapping[str, Any],
        new_hash: str | None,
        passed: Passed,
        *,
        relinquish: bool,
    ) -> dict[str, Any]:
        session, caller = passed.session, passed.caller
        change = self._begin(passed, user_id)
        self._check(passed, change, data)
        if new_hash and not self._allows(session, caller, EDIT_PASSWORD):
            new_hash = None
        with undoing():
            apply(change, data, new_hash)
            if "active" in data:
                set_active(change, data["active"], relinquish=relinquish)
        sees_all = self._allows(session, caller, VIEW_ALL)
        return profiles.shown(person_of(session, user_id), sees_all=sees_all)

    def _begin(self, passed: Passed, user_id: str) -> Change:
        caller = passed.caller
        if user_id != caller.account.id and not self._allows(passed.session, caller, EDIT):
            raise vetting.not_allowed("Editing user", "Editing_user")
        target = get_account(passed.session, user_id)
        if target is None:
            raise PersonGone()
        check_target(self.runtime, passed, target)
        return change_of(self.runtime, passed, target)

    def _check(self, passed: Passed, change: Change, data: Mapping[str, Any]) -> None:
        """Raise the first refusal of what is to be changed."""
        session, target = passed.session, change.account
        allows = partial(self._allows, session, passed.caller)
        if data.get("verified") and target.id == passed.caller.account.id:
            raise vetting.not_allowed("Editing email verification", "Editing_user")
        changed = set(data.get("roles", target.roles)) ^ set(target.roles)
        vetting.check_roles_given(session, changed, allows)
        check_roles(self.runtime, passed, sorted(changed))
        if "active" in data and not any(map(allows, ACTIVATE)):
            raise NotAllowed()
        vetting.check_identity(session, target.id, data)

    def _allows(self, session: Session, caller: Caller, permission: str) -> bool:
        return self.runtime.permissions.allows(session, caller.account.roles, permission)


def apply(change: Change, data: Mapping[str, Any], new_hash: str | None) -> None:
    """Do what was checked. What is as wanted already is left alone."""
    account = change.account
    if "username" in data and data["username"] != account.username:
        rename(change, data["username"])
    change_profile(change, data)
    change_address(change, data)
    if "roles" in data:
        wanted, held = data["roles"], account.roles
        change_roles(change, wanted, [role for role in held if role not in wanted])
    if new_hash:
        set_password(change, new_hash)


def change_address(change: Change, data: Mapping[str, Any]) -> None:
    """Put another address in the place of all, or mark the one that there is as verified."""
    known = addresses_of(change.session, change.account.id)
    address = data.get("email") or (known[0][0] if known else None)
    if address is None:
        return
    if name_key(address) not in {name_key(one) for one, _ in known}:
        add_address(change, address, verified=data.get("verified", False), beside=False)
    elif "verified" in data:
        verify_address(change, address, verified=data["verified"])
