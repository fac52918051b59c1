"""`POST users.2fa.sendEmailCode` and `users.unlockFactor`."""

from flask import Blueprint, Response

from e2ereset.errors import NotAllowed, TargetParamMissing, UnknownTarget
from e2ereset.http import Described, Gates, envelope, origin
from e2ereset.permissions.schemas import TARGET, target_named

from .enrolment import UNLOCK
from .resend import Codes
from .schemas import CODE, UNLOCKED
from .unlocks import Unlocks


def add_routes(blueprint: Blueprint, codes: Codes, unlocks: Unlocks, gates: Gates) -> None:
    """Put the routes on the blueprint."""

    @blueprint.post("/users.2fa.sendEmailCode")
    @Described(body=CODE, signed_in=False)
    def send_email_code() -> Response:
        """Have a fresh code mailed for a pending action. The answer does not wait for the work.

        A signed-in caller always gets the code, whatever name the body has.
        """
        name = gates.body(CODE)["emailOrUsername"]
        caller = gates.identify()
        gates.rate_limit()
        address, agent = origin()
        signed_in = caller.account.id if caller and caller.account.active else ""
        # No thread is woken: its work would change the time of this answer, or of the next one.
        now = int(gates.clock())
        codes.ask(name, now, address=address, agent=agent, signed_in=signed_in)
        return envelope.success()

    @blueprint.post("/users.unlockFactor")
    @Described(
        body=TARGET,
        answer=UNLOCKED,
        step_up=True,
        refuses=(TargetParamMissing, UnknownTarget, NotAllowed),
    )
    def unlock_factor() -> Response:
        """Unlock the second factors of the account that the body names."""
        with gates.entered(UNLOCK) as asked:
            named = target_named(gates.body(TARGET))
            if named is None:
                raise TargetParamMissing()
            gates.rate_limit()
        with gates.waking():
            unlocked = unlocks.unlock(asked.caller, named, asked.proof, asked.now)
        return envelope.success(unlocked=unlocked)
