"""`POST users.resetE2EKey`."""

from flask import Blueprint, Response

from e2ereset.errors import NotAllowed, TargetParamMissing, UnknownTarget
from e2ereset.http import Described, Gates, envelope
from e2ereset.permissions.schemas import TARGET, target_named

from .service import ACTION, Resets


def add_routes(blueprint: Blueprint, resets: Resets, gates: Gates) -> None:
    """Put the route on the blueprint."""

    @blueprint.post("/users.resetE2EKey")
    @Described(body=TARGET, step_up=True, refuses=(TargetParamMissing, UnknownTarget, NotAllowed))
    def reset_e2e_key() -> Response:
        """Reset the caller's E2E key, or the key of the named target."""
        with gates.entered(ACTION) as asked:
            named = target_named(gates.body(TARGET))
            gates.rate_limit()
        with gates.waking():
            resets.reset_key(asked.caller, named, asked.proof, asked.now)
        return envelope.success()
