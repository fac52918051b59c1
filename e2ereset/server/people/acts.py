"""An operator's act on an account: one transaction with its audit row and its mails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from e2ereset import Account, get_e2ereset
from e2ereset.audit import Operator
from e2ereset.runtime import Runtime
from e2ereset.server.sessions.service import Sessions, current_sessions

from .service import UnknownPerson

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """What an operator's acts on accounts have in common."""

    runtime: Runtime
    sessions: Sessions
    operator: Operator

    @property
    def now(self) -> int:
        """The time of the act, in epoch seconds."""
        return int(self.runtime.clock())

    def change(self, account: Account, act: Callable[[Session, Account], T]) -> T:
        """What `act` gives, with the account as it is now; done anew after a deadlock.

        Raises UnknownPerson where it was deleted meanwhile.
        """

        def change() -> T:
            with self.runtime.transactions.begin() as session:
                present = self.sessions.accounts.get(session, account.id)
                if present is None:
                    raise UnknownPerson(f"There is no user {account.username!r}.")
                return act(session, present)

        return self.runtime.transactions.retry_deadlocks(change)

    def done(
        self,
        session: Session,
        account: Account,
        action: str,
        change: str,
        *,
        outcome: str = "done",
        also: Iterable[str] = (),
    ) -> None:
        """Write the audit row of an act, and tell the owner in words.

        The mail goes to the verified addresses from before the act, and to those in `also`.
        """
        self.note(session, action, account.id, outcome)
        facts = {
            "username": account.username,
            "by": f"an operator of the server ({self.operator.login})",
            "change": change,
            "reason": self.operator.reason,
            "at": self.now,
        }
        recipients = dict.fromkeys((*account.emails, *also))
        self.runtime.jobs.put(
            session, "account-changed", facts, recipients=recipients, now=self.now
        )

    def note(self, session: Session, action: str, target: str, outcome: str = "done") -> None:
        """Write the audit row of an act that nobody is told of."""
        self.runtime.audit.write(
            session, action, self.operator, at=self.now, target=target, outcome=outcome
        )


def acting_as(operator: Operator) -> Acting:
    """The acts of this operator, in the app at work."""
    return Acting(runtime=get_e2ereset(), sessions=current_sessions(), operator=operator)
