"""`POST users.resetE2EKey`, and `GET users.resetE2EKey.preview`."""

from flask import Blueprint, Response

from e2ereset.errors import NotAllowed, ResetHeld, TargetParamMissing, UnknownTarget
from e2ereset.http import Described, Gates, envelope
from e2ereset.permissions.schemas import target_named

from .plan import PlanChanged
from .schemas import PLAN, RESET, TARGET
from .service import ACTION, Resets

REFUSED = (TargetParamMissing, UnknownTarget, NotAllowed)


def add_routes(blueprint: Blueprint, resets: Resets, gates: Gates) -> None:
    """Put the routes on the blueprint."""

    @blueprint.post("/users.resetE2EKey")
    @Described(body=RESET, step_up=True, refuses=(*REFUSED, ResetHeld, PlanChanged))
    def reset_e2e_key() -> Response:
        """Reset the caller's E2E key, or the key of the named target."""
        with gates.entered(ACTION) as asked:
            body = gates.body(RESET)
            named = target_named(body)
            gates.rate_limit()
        with gates.waking():
            resets.reset_key(asked.caller, named, asked.proof, asked.now, plan=body.get("plan"))
        return envelope.success()

    @blueprint.get("/users.resetE2EKey.preview")
    @Described(query=TARGET, answer=PLAN, refuses=REFUSED)
    def preview_reset() -> Response:
        """What the reset would lose, and the digest to bind it to. Nothing is changed."""
        with gates.entered("preview-reset") as asked:
            named = target_named(gates.query(TARGET))
            gates.rate_limit("read")
            plan = resets.preview(asked.caller, named, asked.now)
        own = plan.account.id == asked.caller.account.id
        told = plan.told() if own else plan.told_to_others()
        return envelope.success(**told, digest=plan.digest)
