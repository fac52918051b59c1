"""`POST users.resetE2EKey`."""

from __future__ import annotations

from flask import Response

from e2ereset.http import envelope, gates
from e2ereset.http.rates import rate_limit
from e2ereset.permissions.schemas import TARGET, target_named
from e2ereset.records import Action
from e2ereset.runtime import get_e2ereset

from .service import ACTION


def reset_e2e_key() -> Response:
    """Reset one's own E2E key, or with a target named somebody else's (SPEC 1)."""
    runtime = get_e2ereset()
    asked = gates.action_request(Action(name=ACTION))
    with gates.recorded(asked):
        named = target_named(gates.body(TARGET))
        rate_limit()
    try:
        runtime.resets.reset_key(asked.caller, named, asked.proof, asked.now)
    finally:
        runtime.wake()
    return envelope.success()
