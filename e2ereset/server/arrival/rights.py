"""Roles that arrive, and which role holds which permission."""

from collections.abc import Mapping
from typing import Any

from e2ereset.permissions.service import ADD_ROLE, SEED_GRANTS
from e2ereset.server.roles.seeds import GRANTS, RANK_OF_NEW

from .outcome import PRESENT, STORED, UNUSED, Arriving, Took
from .schemas import PermissionRow, RoleRow

ROLE, PERMISSION = RoleRow(), PermissionRow()
SEEDED: dict[str, Any] = {**SEED_GRANTS, **GRANTS}


def take_role(arriving: Arriving, given: Mapping[str, Any]) -> Took:
    """Store a role by its id, which users and permissions name. One that is there stays."""
    row, acting = ROLE.load(given), arriving.acting
    with arriving.begin() as session:
        if not ADD_ROLE(session, {"name": row["id"], "rank": RANK_OF_NEW}).rowcount:
            return Took(PRESENT)
        acting.note(session, "import-role", row["id"])
    return Took(STORED)


def take_permission(arriving: Arriving, given: Mapping[str, Any]) -> Took:
    """Give a permission to the roles of the row alone, if nobody has changed it on this server.

    Permissions that no part of the server asks for are of no use. Raises UnknownName for a role
    that is not there.
    """
    row, acting = PERMISSION.load(given), arriving.acting
    name, wanted = row["id"], set(row["roles"])
    if name not in SEEDED:
        return Took(UNUSED)
    permissions = acting.runtime.permissions
    with arriving.begin() as session:
        held = {role for permission, role in permissions.rows(session) if permission == name}
        if held == wanted or held != set(SEEDED[name]):
            return Took(PRESENT)
        for role in sorted(wanted - held):
            permissions.grant(session, name, role)
        for role in sorted(held - wanted):
            permissions.revoke(session, name, role)
        acting.note(session, "import-permission", name)
    return Took(STORED)
