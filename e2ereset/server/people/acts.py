"""What is done to an account, by an operator or over the API: one transaction, rows and mails."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Executable, bindparam, update
from sqlalchemy.orm import Session

from e2ereset import Account, Caller, Runtime
from e2ereset.audit import Operator
from e2ereset.ports import HoldsSessions
from e2ereset.store.tables import table
from e2ereset.store.transactions import run

from .accounts import find_account, get_account
from .models import User
from .service import UnknownPerson

USERS = table(User)
TOUCH = update(USERS).where(USERS.c.id == bindparam("owner")).values(updated_at=bindparam("at"))
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Somebody at work on the users of one app: an operator, or a caller of the API.

    `method` is what the caller's second factor was, for the audit rows.
    """

    runtime: Runtime
    by: Operator | Caller
    method: str = ""

    @property
    def operator(self) -> Operator:
        """The operator, for what only commands do."""
        assert isinstance(self.by, Operator)  # noqa: S101 - commands are run by operators alone
        return self.by

    @property
    def now(self) -> int:
        """The time of the act, in epoch seconds."""
        return int(self.runtime.clock())

    @property
    def who(self) -> str:
        """Who acts, in words for a mail."""
        return self.by.words if isinstance(self.by, Operator) else self.by.account.username

    def on(self, username: str) -> "OnAccount":
        """The same, for the account of this name in any case. Raises UnknownPerson."""
        with self.runtime.transactions.read() as session:
            account = find_account(session, username)
        if account is None:
            raise UnknownPerson(f"There is no user {username!r}.")
        return OnAccount(runtime=self.runtime, by=self.by, account=account)

    def note(self, session: Session, action: str, target: str, outcome: str = "done") -> None:
        """Write the audit row of an act."""
        self.runtime.audit.write(
            session,
            action,
            self.by,
            at=self.now,
            target=target,
            method=self.method,
            outcome=outcome,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OnAccount(Acting):
    """Somebody at work on one account."""

    account: Account

    def run(
        self, change: Callable[Concatenate["Change", P], T], *args: P.args, **options: P.kwargs
    ) -> T:
        """Run `change` in a transaction, again after a deadlock, and return what it returns.

        `change` gets the account as it is now. Raises UnknownPerson where it is deleted by then.
        """

        def transaction() -> T:
            """One try, from the start."""
            with self.runtime.transactions.begin() as session:
                present = get_account(session, self.account.id)
                if present is None:
                    raise UnknownPerson(f"There is no user {self.account.username!r}.")
                return change(self._changing(present, session), *args, **options)

        return self.runtime.transactions.retry_deadlocks(transaction)

    def _changing(self, account: Account, session: Session) -> "Change":
        return Change(runtime=self.runtime, by=self.by, account=account, session=session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(OnAccount):
    """A change of an account, as it is since the transaction began."""

    session: Session

    def execute(self, statement: Executable, **values: Any) -> int:
        """Run a statement whose `owner` is this account; the number of its rows."""
        return run(self.session, statement, {"owner": self.account.id, **values}).rowcount

    def end_sign_ins(self) -> int:
        """End every sign-in and personal token of the account; the number of those ended."""
        accounts = cast(HoldsSessions, self.runtime.accounts)
        return accounts.end_sessions(self.session, self.account.id)

    def done(
        self, action: str, words: str, *, outcome: str = "done", also: Iterable[str] = ()
    ) -> None:
        """Write the audit row of the change, and tell the owner of it in words.

        The mail goes to the verified addresses from before the change, and to those in `also`.
        """
        self.note(self.session, action, self.account.id, outcome)
        self.execute(TOUCH, at=self.now)
        facts = {
            "username": self.account.username,
            "by": "you" if self._is_own else self.who,
            "change": words,
            "reason": self.by.reason if isinstance(self.by, Operator) else "",
            "at": self.now,
        }
        to = dict.fromkeys((*self.account.emails, *also))
        self.runtime.jobs.put(self.session, "account-changed", facts, recipients=to, now=self.now)

    @property
    def _is_own(self) -> bool:
        return isinstance(self.by, Caller) and self.by.account.id == self.account.id
