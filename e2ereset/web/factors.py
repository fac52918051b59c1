"""`POST users.2fa.sendEmailCode`."""

from __future__ import annotations

from flask import Response

from e2ereset.runtime import get_e2ereset

from . import envelope, gates
from .rates import rate_limit
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
