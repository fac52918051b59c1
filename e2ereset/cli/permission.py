"""`permission list|grant|revoke`: the role-permission table."""

from collections.abc import Callable
from typing import Any

import click

from e2ereset.audit import Operator
from e2ereset.runtime import Runtime

from .base import Commands, Output, prints, with_reason

permission = Commands(
    "permission", help="Which role has which permission. A change holds for the next request."
)


@prints(permission.command("list"))
def list_permissions(runtime: Runtime) -> Output:
    """List the role-permission table."""
    with runtime.transactions.read() as session:
        rows = runtime.permissions.rows(session)
    data = [{"permission": name, "role": role} for name, role in rows]
    return data, (f"{name:32} {role}" for name, role in rows)


def change(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments PERMISSION and ROLE, and the options of a change."""
    return with_reason()(click.argument("permission")(click.argument("role")(command)))


@prints(permission.command("grant"))
@change
def grant(runtime: Runtime, **asked: Any) -> Output:
    """Let ROLE have PERMISSION."""
    return _change(runtime, **asked, granted=True)


@prints(permission.command("revoke"))
@change
def revoke(runtime: Runtime, **asked: Any) -> Output:
    """Take PERMISSION away from ROLE."""
    return _change(runtime, **asked, granted=False)


def _change(
    runtime: Runtime, permission: str, role: str, *, operator: Operator, granted: bool
) -> Output:
    """Change the table, and write an audit row where that changed anything."""
    act = runtime.permissions.grant if granted else runtime.permissions.revoke
    action, now = f"{'grant' if granted else 'revoke'}-permission", int(runtime.clock())
    with runtime.transactions.begin() as session:
        if act(session, permission, role):
            target = f"{permission} {role}"
            runtime.audit.write(session, action, operator, at=now, target=target)
    data = {"permission": permission, "role": role, "granted": granted}
    return data, [f"{role} {'has' if granted else 'does not have'} {permission} now."]
