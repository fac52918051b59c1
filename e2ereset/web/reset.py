"""`POST users.resetE2EKey`."""

from __future__ import annotations

from flask import Response

from e2ereset.runtime import get_e2ereset

from . import envelope, gates
from .schemas import TARGET, target_named


def reset_e2e_key() -> Response:
    """Reset one's own E2E key, or with a target named somebody else's (SPEC 1)."""
    runtime = get_e2ereset()
    caller, proof, now = gates.signed_in(), gates.proof(), int(runtime.clock())
    with gates.recorded(runtime.resets.demand_for_audit(caller, proof, now)):
        named = target_named(gates.body(TARGET))
        gates.rate_limit()
    try:
        runtime.resets.reset_key(caller, named, proof, now)
    finally:
        runtime.wake()
    return envelope.success()
