"""`permission list|grant|revoke`: the role-permission table."""

from __future__ import annotations

import click
from sqlalchemy.orm import Session

from e2ereset.audit import Operator
from e2ereset.runtime import get_e2ereset

from .base import Commands, as_json, emit, with_reason


@click.group("permission", cls=Commands)
def permission() -> None:
    """Which role holds which permission; a change holds for the very next request."""


@permission.command("list")
@as_json
def list_permissions(json_output: bool) -> None:
    """List the role-permission table."""
    runtime = get_e2ereset()
    with runtime.transactions.read() as session:
        rows = runtime.permissions.rows(session)
    data = [{"permission": name, "role": role} for name, role in rows]
    emit(data, (f"{name:32} {role}" for name, role in rows), json_output)


@permission.command("grant")
@click.argument("permission")
@click.argument("role")
@with_reason()
@as_json
def grant(permission: str, role: str, operator: Operator, json_output: bool) -> None:
    """Let ROLE have PERMISSION."""
    runtime = get_e2ereset()
    with runtime.transactions.begin() as session:
        if runtime.permissions.grant(session, permission, role):
            _note(session, operator, "grant-permission", f"{permission} {role}")
    data = {"permission": permission, "role": role, "granted": True}
    emit(data, [f"{role} has {permission}."], json_output)


@permission.command("revoke")
@click.argument("permission")
@click.argument("role")
@with_reason()
@as_json
def revoke(permission: str, role: str, operator: Operator, json_output: bool) -> None:
    """Take PERMISSION away from ROLE."""
    runtime = get_e2ereset()
    with runtime.transactions.begin() as session:
        if runtime.permissions.revoke(session, permission, role):
            _note(session, operator, "revoke-permission", f"{permission} {role}")
    data = {"permission": permission, "role": role, "granted": False}
    emit(data, [f"{role} does not have {permission}."], json_output)


def _note(session: Session, operator: Operator, action: str, target: str) -> None:
    """Write the audit row; its target is the permission and the role."""
    runtime = get_e2ereset()
    runtime.audit.write(session, action, operator, at=int(runtime.clock()), target=target)
