"""Which role holds which permission, as clients list and change it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from e2ereset import Runtime
from e2ereset.permissions.models import Permission, Role
from e2ereset.records import OFF, Action, ActionRequest, Passed, iso
from e2ereset.server.people.permitted import check_roles, rehearse, run_act
from e2ereset.server.people.vetting import ADMIN
from e2ereset.store.tables import table

from .refusals import AdminKeepsAccess, UnknownPermission, UnknownRole
from .service import ACCESS

PERMISSIONS, ROLES = table(Permission), table(Role)
ACTS = {True: "grant-permission", False: "revoke-permission"}
PHRASES = {
    True: "give the permission {} to the role {}",
    False: "take the permission {} from the role {}",
}
ALL = select(PERMISSIONS.c.name, PERMISSIONS.c.updated_at).order_by(PERMISSIONS.c.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionTable:
    """The role-permission table over the API. A change holds for the next request."""

    runtime: Runtime

    def list_all(self, since: int | None = None) -> list[dict[str, Any]]:
        """Every permission, or those that have changed `since` then (epoch seconds)."""
        self.runtime.permissions.seed_once()
        with self.runtime.transactions.read() as session:
            rows = self._rows(session)
        return [_shown(*row) for row in rows if since is None or (row[1] or 0) >= since]

    def replace(self, asked: ActionRequest, wanted: Mapping[str, Sequence[str]]) -> None:
        """Have exactly these roles hold each of these permissions; all, or nothing.

        Raises MissingPermission, UnknownPermission, UnknownRole, NotAllowed where it changes what a
        role may that outranks the caller, and ActionNotAllowed where it locks everybody out.
        """
        named = ", ".join(wanted)
        run_act(self.runtime, asked, partial(self._replace, asked, wanted), target=named)

    def grant(
        self,
        asked: ActionRequest,
        permission: str,
        role: str,
        *,
        granted: bool,
        proven: bool = False,
    ) -> None:
        """Give a role a permission, or take it. Raises as `replace` does.

        If `proven`, behind the caller's second factor, whose proof is for this change alone, and
        which is asked for where nothing else refuses it.
        """
        act = partial(self._grant, asked, permission, role, granted=granted)
        target = f"{permission} {role}"
        if proven:
            words = PHRASES[granted].format(permission, role)
            asked = replace(asked, action=Action(name=ACTS[granted], target=target, phrase=words))
            rehearse(self.runtime, asked, act)
        run_act(self.runtime, asked, act, target=target, proven=proven)

    def _replace(
        self, asked: ActionRequest, wanted: Mapping[str, Sequence[str]], passed: Passed
    ) -> None:
        self.runtime.permissions.require(passed.session, passed.caller.account.roles, ACCESS)
        held = {name: set(roles) for name, _, roles in self._rows(passed.session)}
        changes = [
            (permission, role, role in roles)
            for permission, roles in wanted.items()
            for role in sorted(set(roles) ^ held.get(permission, set()))
        ]
        self._check(passed, list(wanted), [role for roles in wanted.values() for role in roles])
        self._change(asked, passed, changes)

    def _grant(
        self, asked: ActionRequest, permission: str, role: str, passed: Passed, *, granted: bool
    ) -> None:
        self.runtime.permissions.require(passed.session, passed.caller.account.roles, ACCESS)
        self._check(passed, [permission], [role])
        self._change(asked, passed, [(permission, role, granted)])

    def _check(self, passed: Passed, permissions: Sequence[str], roles: Sequence[str]) -> None:
        session = passed.session
        if not set(session.scalars(select(PERMISSIONS.c.name))).issuperset(permissions):
            raise UnknownPermission()
        if not set(session.scalars(select(ROLES.c.name))).issuperset(roles):
            raise UnknownRole()

    def _change(
        self, asked: ActionRequest, passed: Passed, changes: Sequence[tuple[str, str, bool]]
    ) -> None:
        check_roles(self.runtime, passed, sorted({role for _, role, _ in changes}))
        if (ACCESS, ADMIN, False) in changes:
            raise AdminKeepsAccess(
                method="authorization:removeRoleFromPermission",
                action="Accessing_permissions",
            )
        table_of, session = self.runtime.permissions, passed.session
        for permission, role, granted in changes:
            act = table_of.grant if granted else table_of.revoke
            if act(session, permission, role):
                self.runtime.audit.write(
                    session,
                    ACTS[granted],
                    passed.caller,
                    at=asked.now,
                    target=f"{permission} {role}",
                    method="" if passed.method == OFF else passed.method,
                )

    def _rows(self, session: Session) -> list[tuple[str, int | None, list[str]]]:
        held: dict[str, list[str]] = {}
        for permission, role in self.runtime.permissions.rows(session):
            held.setdefault(permission, []).append(role)
        rows = session.execute(ALL)
        return [(row.name, row.updated_at, held.get(row.name, [])) for row in rows]


def _shown(name: str, updated_at: int | None, roles: list[str]) -> dict[str, Any]:
    return {"_id": name, "roles": roles, "_updatedAt": iso(updated_at or 0)}
