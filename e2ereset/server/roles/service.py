"""Which roles there are, and who has them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from e2ereset import Account, Caller, Runtime
from e2ereset.errors import UnknownTarget
from e2ereset.http import Page
from e2ereset.permissions.models import Role
from e2ereset.records import Action, ActionRequest, Passed, TargetName
from e2ereset.server.people import profiles
from e2ereset.server.people.administration import change_roles
from e2ereset.server.people.directory import VIEW_ALL
from e2ereset.server.people.permitted import (
    change_of,
    check_roles,
    check_target,
    find_target,
    rehearse,
    run_act,
)
from e2ereset.server.people.refusals import ActionNotAllowed, Undone, undoing
from e2ereset.server.people.service import known_roles, page_of_people
from e2ereset.server.people.vetting import ADMIN, ASSIGN_ADMIN
from e2ereset.store.tables import table

from .models import CustomRole
from .refusals import (
    BadRole,
    HasNotRole,
    HasRoleAlready,
    NobodyOfThisName,
    NoSuchRole,
    RoleNameTaken,
    RoleNotFound,
)
from .seeds import GLOBAL, IN_ROOMS, RANK_OF_NEW, ROOM_ROLES

ACCESS = "access-permissions"
CHANGE = "change-roles"
PHRASES = {True: "give the role {} to {}", False: "take the role {} from {}"}
LONGEST, LONGEST_NAME = 255, 200
"""Characters of a description, and of a name, which an audit row must hold whole beside an id."""
ROLES, CUSTOM = table(Role), table(CustomRole)
ALL = (
    select(ROLES.c.name, CUSTOM.c.description)
    .outerjoin(CUSTOM, CUSTOM.c.name == ROLES.c.name)
    .order_by(ROLES.c.name)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The roles of one server, over the API."""

    runtime: Runtime

    def list_all(self) -> list[dict[str, Any]]:
        """Every role, by name."""
        self.runtime.permissions.seed_once()
        with self.runtime.transactions.read() as session:
            return [_shown(row.name, row.description) for row in session.execute(ALL)]

    def of_users(self) -> list[str]:
        """The names of the roles that users can have: not those that members of a room have."""
        return [one["name"] for one in self.list_all() if one["scope"] == GLOBAL]

    def create(self, asked: ActionRequest, given: dict[str, Any]) -> dict[str, Any]:
        """Make a role, which ranks as `user` does; the role.

        Raises ActionNotAllowed, BadRole, RoleNameTaken.
        """
        return run_act(
            self.runtime, asked, partial(self._create, asked, given), target=given["name"]
        )

    def add_user(self, asked: ActionRequest, named: TargetName, role: str) -> dict[str, Any]:
        """Give a user a role; the role.

        Raises ActionNotAllowed before anything tells who exists, RoleNotFound, UnknownTarget,
        NotAllowed, HasRoleAlready.
        """
        return run_act(self.runtime, asked, partial(self._add_user, named, role), target=str(named))

    def remove_user(self, asked: ActionRequest, username: str, role: str) -> dict[str, Any]:
        """Take a role from a user; the role.

        Raises MissingPermission, NobodyOfThisName, NoSuchRole, HasNotRole, NotAllowed,
        AdminRequired.
        """
        act = partial(self._remove_user, TargetName(username=username), role)
        return run_act(self.runtime, asked, act, target=username)

    def change(self, asked: ActionRequest, account: Account, role: str, *, given: bool) -> None:
        """Give this user the role, or take it, behind the caller's second factor.

        Its proof is for this user, this role, and giving or taking alone. Raises as `add_user` or
        `remove_user` before a proof is asked for, and the refusals of the second factor.
        """
        act = self._add_user if given else self._remove_user
        words = PHRASES[given].format(role, account.username)
        action = Action(name=CHANGE, target=bound(account.id, role, given=given), phrase=words)
        asked = replace(asked, action=action)
        block = partial(act, TargetName(user_id=account.id), role)
        rehearse(self.runtime, asked, block)
        run_act(self.runtime, asked, block, proven=True)

    def givable(self, caller: Caller, account: Account) -> list[str]:
        """The roles that the caller may give and this user has not, highest first."""
        permissions, mine = self.runtime.permissions, caller.account
        with self.runtime.transactions.read() as session:
            below = permissions.below(session, mine.roles, peers=True)
            may_all = self._allows(session, mine, ASSIGN_ADMIN)
            known = known_roles(session)
        return [
            role
            for role in known
            if role not in account.roles
            and (below is None or role in below)
            and (role != ADMIN or may_all)
        ]

    def holders(
        self, caller: Caller, role: str, page: Page
    ) -> tuple[Sequence[dict[str, Any]], int]:
        """The users who have the role, and how many they are. Raises NoSuchRole."""
        with self.runtime.transactions.read() as session:
            if role not in known_roles(session):
                raise NoSuchRole()
            sees_all = self.runtime.permissions.allows(session, caller.account.roles, VIEW_ALL)
            people, total = page_of_people(session, page, role)
            return [profiles.shown(person, sees_all=sees_all) for person in people], total

    def _create(
        self, asked: ActionRequest, given: dict[str, Any], passed: Passed
    ) -> dict[str, Any]:
        session, caller, name = passed.session, passed.caller, given["name"].strip()
        self._permit(session, caller.account, "roles.create")
        long = len(name) > LONGEST_NAME or len(given["description"]) > LONGEST
        if long or not _is_name(name) or given["mandatory2fa"]:
            raise BadRole()
        if name.lower() in {one.lower() for one in session.scalars(select(ROLES.c.name))}:
            raise RoleNameTaken()
        try:
            session.execute(insert(ROLES), {"name": name, "rank": RANK_OF_NEW})
            session.execute(insert(CUSTOM), {"name": name, "description": given["description"]})
        except IntegrityError:  # another one was faster
            raise Undone(RoleNameTaken()) from None
        self.runtime.audit.write(session, "add-role", caller, at=asked.now, target=name)
        return _shown(name, given["description"])

    def _add_user(self, named: TargetName, role: str, passed: Passed) -> dict[str, Any]:
        session, caller = passed.session, passed.caller
        self._permit(session, caller.account, "authorization:addUserToRole")
        if role == ADMIN and not self._allows(session, caller.account, ASSIGN_ADMIN):
            raise ActionNotAllowed(
                "Assigning admin is not allowed",
                method="authorization:addUserToRole",
                action="Assign_admin",
            )
        target = find_target(session, named)
        if role not in known_roles(session):
            raise RoleNotFound()
        check_target(self.runtime, passed, target)
        check_roles(self.runtime, passed, [role])
        if role in target.roles:
            raise HasRoleAlready()
        with undoing():
            change_roles(change_of(self.runtime, passed, target), [role], [])
        return self._one(session, role)

    def _remove_user(self, named: TargetName, role: str, passed: Passed) -> dict[str, Any]:
        session, roles = passed.session, passed.caller.account.roles
        self.runtime.permissions.require(session, roles, ACCESS)
        try:
            target = find_target(session, named)
        except UnknownTarget:
            raise NobodyOfThisName() from None
        if role not in known_roles(session):
            raise NoSuchRole()
        if role not in target.roles:
            raise HasNotRole()
        check_target(self.runtime, passed, target)
        with undoing():
            change_roles(change_of(self.runtime, passed, target), [], [role])
        return self._one(session, role)

    def _permit(self, session: Session, caller: Account, method: str) -> None:
        if not self._allows(session, caller, ACCESS):
            raise ActionNotAllowed(
                "Accessing permissions is not allowed",
                method=method,
                action="Accessing_permissions",
            )

    def _allows(self, session: Session, caller: Account, permission: str) -> bool:
        return self.runtime.permissions.allows(session, caller.roles, permission)

    def _one(self, session: Session, role: str) -> dict[str, Any]:
        found = session.execute(ALL.where(ROLES.c.name == role)).one()
        return _shown(found.name, found.description)


def _is_name(text: str) -> bool:
    """Whether a role can have this name: the log lists roles with commas in between."""
    return bool(text) and text.isprintable() and "," not in text


def bound(user_id: str, role: str, *, given: bool) -> str:
    """What the proof for giving this user the role, or taking it, is bound to."""
    return f"{user_id}:{'+' if given else '-'}{role}"


def _shown(name: str, description: str | None) -> dict[str, Any]:
    """A role as on the wire; `description` is None for one that was not made here."""
    return {
        "_id": name,
        "name": name,
        "scope": IN_ROOMS if name in ROOM_ROLES else GLOBAL,
        "description": description or "",
        "protected": description is None,
        "mandatory2fa": False,
    }
