"""Makes accounts for an administrator: what is checked, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from e2ereset import Account, Runtime
from e2ereset.records import ActionRequest, Passed

from . import profiles, vetting
from .acts import Acting
from .administration import DEFAULT_ROLES, add_user
from .directory import VIEW_ALL
from .new_passwords import NewPasswords
from .permitted import check_roles, noting, run_act
from .refusals import undoing
from .service import NewPerson, person_of

CREATE = "create-user"
PASSWORD_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccounts:
    """Makes accounts over the API."""

    runtime: Runtime
    passwords: NewPasswords

    def create(self, asked: ActionRequest, given: Mapping[str, Any]) -> dict[str, Any]:
        """Make a user; the user, as far as the caller may see it.

        Raises BadName, ActionNotAllowed, NotAllowed, FieldRequired, FieldInvalid, FieldUnavailable,
        NameBlocked, PasswordPolicy.
        """
        asked = replace(asked, action=replace(asked.action, target=given["username"]))
        if given.get("setRandomPassword"):  # nobody learns it
            given = {**given, "password": self.runtime.entropy.token_urlsafe(PASSWORD_BYTES)}
        with noting(self.runtime, asked):
            # Before the work of a hash, and once more in the transaction.
            with self.runtime.transactions.look_up() as session:
                self._check(session, asked.caller.account, given)
            stored = self.passwords.hash_in_turn(given["password"])
        return run_act(self.runtime, asked, partial(self._create, given, stored))

    def _create(self, given: Mapping[str, Any], stored: str, passed: Passed) -> dict[str, Any]:
        session, account = passed.session, passed.caller.account
        self._check(session, account, given)
        check_roles(self.runtime, passed, _roles(given))
        acting = Acting(runtime=self.runtime, by=passed.caller)
        new = NewPerson(
            username=given["username"],
            name=given["name"].strip(),
            emails=[given["email"]],
            verified=given.get("verified", False),
            roles=_roles(given),
            password_hash=stored,
            active=given.get("active", True),
            profile=profiles.merged(None, given),
        )
        with undoing():
            user_id = add_user(session, acting, new)
        if given.get("sendWelcomeEmail"):
            _welcome(session, acting, new)
        sees_all = self.runtime.permissions.allows(session, account.roles, VIEW_ALL)
        return profiles.shown(person_of(session, user_id), sees_all=sees_all)

    def _check(self, session: Session, caller: Account, given: Mapping[str, Any]) -> None:
        """Raise the first refusal, in the reference's order."""
        allows = partial(self.runtime.permissions.allows, session, caller.roles)
        vetting.check_name(given["name"])
        if not allows(CREATE):
            raise vetting.not_allowed("Adding user", "Adding_user")
        vetting.check_roles_given(session, {*_roles(given)} ^ {*DEFAULT_ROLES}, allows)
        vetting.check_filled(given, "name", "username")
        vetting.check_username(session, given["username"])
        vetting.check_filled(given, "password")
        vetting.check_address_free(session, given["email"])


def _roles(given: Mapping[str, Any]) -> list[str]:
    return given.get("roles") or DEFAULT_ROLES


def _welcome(session: Session, acting: Acting, new: NewPerson) -> None:
    """Mail that there is an account, without its password."""
    facts = {
        "username": new.username,
        "by": acting.who,
        "change": f"The account {new.username} was made for you",
        "reason": "",
        "at": acting.now,
    }
    to = [address for address, _ in new.addresses]
    acting.runtime.jobs.put(session, "account-changed", facts, recipients=to, now=acting.now)
