"""`POST users.2fa.sendEmailCode` and `users.unlockFactor`."""

from __future__ import annotations

from flask import Response

from e2ereset.errors import TargetParamMissing
from e2ereset.http import envelope, gates
from e2ereset.http.rates import rate_limit
from e2ereset.permissions.schemas import TARGET, target_named
from e2ereset.records import Action
from e2ereset.runtime import get_e2ereset

from .enrolment import UNLOCK
from .schemas import CODE


def send_email_code() -> Response:
    """Have a fresh code mailed for a pending action; the answer comes before any look at it.

    Whoever is signed in is the one who gets it, whatever name the body holds.
    """
    runtime = get_e2ereset()
    name = gates.body(CODE)["emailOrUsername"]
    caller = runtime.identify()
    rate_limit()
    address, agent = gates.origin()
    signed_in = caller.account.id if caller and caller.account.active else ""
    now = int(runtime.clock())
    # No wake: the work must not run beside the answer, or the next one, which would tell of it.
    runtime.codes.ask(name, now, address=address, agent=agent, signed_in=signed_in)
    return envelope.success()


def unlock_factor() -> Response:
    """Unlock the second factors of the account that the body names."""
    runtime = get_e2ereset()
    asked = gates.action_request(Action(name=UNLOCK))
    with gates.recorded(asked):
        named = target_named(gates.body(TARGET))
        if named is None:
            raise TargetParamMissing()
        rate_limit()
    try:
        unlocked = runtime.unlocks.unlock(asked.caller, named, asked.proof, asked.now)
    finally:
        runtime.wake()
    return envelope.success(unlocked=unlocked)
