"""The audit trail: the one writer of audit rows, and who acts in them."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import insert
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.records import ActionRequest, Caller
from e2ereset.store.statements import Statement

from .rows import AUDIT, LONGEST_REASON, REASON, TEXTS, clean, digest_of

UID_BYTES = 16
# Inline: nobody asks for the id that the database gives, so it is not fetched.
INSERT = Statement(insert(AUDIT).inline())


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, by the id that stands in the audit row, from where and why."""

    id: str
    address: str = ""
    agent: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who acts on the command line, by login name, and why."""

    login: str
    reason: str = ""
    address: ClassVar[str] = ""
    agent: ClassVar[str] = ""

    @property
    def id(self) -> str:
        """What stands in an audit row as the caller."""
        return f"operator:{self.login}"

    @property
    def words(self) -> str:
        """What stands in a mail in the place of a name."""
        return f"an operator of the server ({self.login})"


Who = Caller | Operator | Actor


@dataclass(frozen=True)
class AuditTrail:
    """Writes audit rows: nothing else does. `entropy` is the module `secrets`, or has its shape."""

    keyring: KeyRing
    entropy: Any

    def write(
        self,
        session: Session,
        action: str,
        by: Who,
        *,
        at: int,
        target: str = "",
        method: str = "",
        outcome: str = "done",
    ) -> None:
        """Add a row to the session's transaction; `at` is in epoch seconds.

        It reads no other row and waits for none.
        """
        who = _actor(by) if isinstance(by, Caller) else by
        facts = (action, who.id, target, method, who.address, who.agent, outcome)
        texts = dict(zip(TEXTS, map(clean, facts), strict=True))
        texts[REASON] = clean(who.reason, LONGEST_REASON)
        row = {"uid": self.entropy.token_hex(UID_BYTES), "at": at, **texts}
        INSERT(session, row | {"digest": digest_of(self.keyring, row)})

    def write_request(
        self,
        session: Session,
        asked: ActionRequest,
        outcome: str,
        *,
        method: str = "",
        target: str | None = None,
        reason: str = "",
    ) -> None:
        """Add the row of a request that ended in `outcome`.

        `target` is who it was done to, where that is not what the action names.
        """
        self.write(
            session,
            asked.action.name,
            _actor(asked.caller, reason),
            at=asked.now,
            target=asked.action.target if target is None else target,
            method=method,
            outcome=outcome,
        )


def _actor(caller: Caller, reason: str = "") -> Actor:
    who = caller.account.id
    return Actor(id=who, address=caller.address, agent=caller.agent, reason=reason)
