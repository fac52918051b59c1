"""`POST users.2fa.sendEmailCode`."""

from __future__ import annotations

from flask import Response

from e2ereset.runtime import get_e2ereset

from . import envelope, gates
from .rates import rate_limit
from .schemas import CODE


def send_email_code() -> Response:
    """Mail a fresh code for a pending action; the answer is the same when there is none."""
    runtime = get_e2ereset()
    name = gates.body(CODE)["emailOrUsername"]
    rate_limit()
    address, agent = gates.origin()
    runtime.codes.resend(name, int(runtime.clock()), address=address, agent=agent)
    runtime.wake()
    return envelope.success()
