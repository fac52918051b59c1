"""`permission list|grant|revoke`: the role-permission table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from e2ereset.audit import Operator
from e2ereset.runtime import get_e2ereset

from .base import Commands, as_json, emit, with_reason


@click.group("permission", cls=Commands)
def permission() -> None:
    """Which role has which permission. A change holds for the next request."""


@permission.command("list")
@as_json
def list_permissions(json_output: bool) -> None:
    """List the role-permission table."""
    runtime = get_e2ereset()
    with runtime.transactions.read() as session:
        rows = runtime.permissions.rows(session)
    data = [{"permission": name, "role": role} for name, role in rows]
    emit(data, (f"{name:32} {role}" for name, role in rows), json_output)


def change(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments PERMISSION and ROLE, and the options of a change."""
    arguments = click.argument("permission")(click.argument("role")(command))
    return with_reason()(as_json(arguments))


@permission.command("grant")
@change
def grant(**asked: Any) -> None:
    """Let ROLE have PERMISSION."""
    _change(**asked, granted=True)


@permission.command("revoke")
@change
def revoke(**asked: Any) -> None:
    """Take PERMISSION away from ROLE."""
    _change(**asked, granted=False)


def _change(
    permission: str, role: str, *, operator: Operator, json_output: bool, granted: bool
) -> None:
    """Change the table, and write an audit row where that changed anything."""
    runtime = get_e2ereset()
    act = runtime.permissions.grant if granted else runtime.permissions.revoke
    action, now = f"{'grant' if granted else 'revoke'}-permission", int(runtime.clock())
    with runtime.transactions.begin() as session:
        if act(session, permission, role):
            target = f"{permission} {role}"
            runtime.audit.write(session, action, operator, at=now, target=target)
    data = {"permission": permission, "role": role, "granted": granted}
    words = "has" if granted else "does not have"
    emit(data, [f"{role} {words} {permission}."], json_output)
