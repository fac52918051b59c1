"""Grants: sign-ins of machines that skip the proof, for what the host says."""

from sqlalchemy.orm import Session

from e2ereset.errors import NotAllowed
from e2ereset.ports import Accounts, HoldsGrants
from e2ereset.records import ActionRequest


class Grants:
    """The grants that the host's accounts hold; none where they do not implement HoldsGrants."""

    def __init__(self, accounts: Accounts) -> None:
        self._holder = accounts if isinstance(accounts, HoldsGrants) else None

    def cover(self, session: Session, asked: ActionRequest) -> bool:
        """Whether a grant stands in for the proof of this request: not where it has a code."""
        caller, holder = asked.caller, self._holder
        if holder is None or not caller.grant or asked.proof.code is not None:
            return False
        return holder.has_grant(session, caller, asked.action.name)

    def use(self, session: Session, asked: ActionRequest) -> None:
        """Count a use, in the action's transaction. Raises a Refusal where the grant is no good."""
        if self._holder is None or not self._holder.use_grant(session, asked):
            raise NotAllowed()
