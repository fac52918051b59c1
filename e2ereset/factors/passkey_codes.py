"""Codes that a page shows after a proof by a passkey, for clients that know only codes."""

from dataclasses import replace

from sqlalchemy.orm import Session

from e2ereset.errors import NoFactor
from e2ereset.parts import Parts
from e2ereset.records import Action, ActionRequest, Caller, Passed, Proof
from e2ereset.store.transactions import run

from . import passkeys as sql
from .own_passkeys import NAME
from .stepup import StepUp

SHOWN = "code-shown"
"""The outcome in the audit log; that of the action itself comes when the code is used."""


class PasskeyCodes:
    """Shows codes for what a client of the same account has asked for a moment ago."""

    def __init__(self, parts: Parts, stepup: StepUp) -> None:
        self._parts = parts
        self._stepup = stepup

    def waiting(self, caller: Caller, now: int) -> list[Action]:
        """What waits for a passkey of the caller's, newest first."""
        mine = {"account": caller.account.id, "now": now}
        with self._parts.transactions.look_up() as session:
            return [Action(**row._mapping) for row in run(session, sql.WAITING, mine).all()]

    def show(self, caller: Caller, name: str, proof: Proof, now: int) -> tuple[Action, str] | None:
        """The action of this name that waits, and a code for it; None when none does.

        It is proven by a passkey, whatever else there is. Raises the refusals of the second factor.
        """
        mine = {"account": caller.account.id, "for_action": name}
        with self._parts.transactions.look_up() as session:
            row = run(session, sql.ASKED, mine).first()
        if row is None:
            return None
        action = Action(**row._mapping)

        def show(passed: Passed) -> str:
            """Store the code."""
            if passed.method != NAME:
                raise NoFactor()
            return self._store(passed.session, passed.caller, action, now)

        proof = replace(proof, method=NAME)
        if proof.code and not proof.code.startswith("{"):
            proof = replace(proof, code="-")  # a code that was shown would make another one
        asked = ActionRequest(caller=caller, proof=proof, action=action, now=now, fallback=False)
        return action, self._stepup.run(asked, show, outcome=SHOWN)

    def _store(self, session: Session, caller: Caller, action: Action, now: int) -> str:
        code = f"{self._parts.entropy.randbelow(10**sql.CODE_DIGITS):0{sql.CODE_DIGITS}d}"
        digest = self._parts.keyring.digest(*sql.code_of(caller.account, action, code))
        live = sql.live_for(caller.account, action, now)
        stored = {**live, "digest": digest, "until": now + sql.CODE_SECONDS}
        if run(session, sql.SHOW_CODE, stored).rowcount != 1:
            raise NoFactor()  # purged, or another target came between
        return code
