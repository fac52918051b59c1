"""Runs an act on rooms in its transaction, with the caller as of then."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from e2ereset import Caller, Runtime
from e2ereset.errors import NotSignedIn
from e2ereset.factors.rechecks import Rechecks
from e2ereset.records import ActionRequest
from e2ereset.server.people.accounts import lock_active

T = TypeVar("T")


class Acts:
    """Runs acts on rooms. A sign-in that a reset has just ended acts no more."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._transactions = runtime.transactions
        self._rechecks = Rechecks(runtime.accounts, runtime.clock)

    def run(self, asked: ActionRequest, block: Callable[[Session, Caller], T]) -> T:
        """What `block` returns, which gets the open transaction and the caller as read in it.

        If the database ended the transaction to break a deadlock, the block runs again. After a
        refusal nothing stays. Raises NotSignedIn when the sign-in has ended meanwhile.
        """

        def act() -> T:
            """Do it in one transaction."""
            with self._transactions.begin() as session:
                # First the user, then its sign-in: a reset locks them in the same order.
                if not lock_active(session, asked.caller.account.id):
                    raise NotSignedIn
                caller = self._rechecks.caller(session, asked.caller, asked.now, known=True)
                return block(session, caller)

        return self._transactions.retry_deadlocks(act)
