"""What an operator does to an account: one transaction with an audit row and mails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Executable
from sqlalchemy.orm import Session

from e2ereset import Account, Runtime
from e2ereset.audit import Operator
from e2ereset.ports import HoldsSessions
from e2ereset.store.transactions import run

from .accounts import find_account, get_account
from .service import UnknownPerson

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """An operator at work on the users of one app."""

    runtime: Runtime
    operator: Operator

    @property
    def now(self) -> int:
        """The time of the act, in epoch seconds."""
        return int(self.runtime.clock())

    def on(self, username: str) -> OnAccount:
        """The same operator, for the account of this name in any case. Raises UnknownPerson."""
        with self.runtime.transactions.read() as session:
            account = find_account(session, username)
        if account is None:
            raise UnknownPerson(f"There is no user {username!r}.")
        return OnAccount(runtime=self.runtime, operator=self.operator, account=account)

    def note(self, session: Session, action: str, target: str, outcome: str = "done") -> None:
        """Write the audit row of an act."""
        self.runtime.audit.write(
            session, action, self.operator, at=self.now, target=target, outcome=outcome
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OnAccount(Acting):
    """An operator at work on one account."""

    account: Account

    def run(
        self, change: Callable[Concatenate[Change, P], T], *args: P.args, **options: P.kwargs
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
                on = replace(self, account=present)
                return change(Change(session=session, on=on), *args, **options)

        return self.runtime.transactions.retry_deadlocks(transaction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of an account by an operator, in its transaction."""

    session: Session
    on: OnAccount

    @property
    def account(self) -> Account:
        """The account, as it was when the transaction began."""
        return self.on.account

    def execute(self, statement: Executable, **values: Any) -> int:
        """Run a statement whose `owner` is this account; the number of its rows."""
        return run(self.session, statement, {"owner": self.account.id, **values}).rowcount

    def end_sign_ins(self) -> int:
        """End every sign-in and personal token of the account; the number of those ended."""
        accounts = cast(HoldsSessions, self.on.runtime.accounts)
        return accounts.end_sessions(self.session, self.account.id)

    def done(
        self, action: str, words: str, *, outcome: str = "done", also: Iterable[str] = ()
    ) -> None:
        """Write the audit row of the change, and tell the owner of it in words.

        The mail goes to the verified addresses from before the change, and to those in `also`.
        """
        account, operator = self.account, self.on.operator
        self.on.note(self.session, action, account.id, outcome)
        facts = {
            "username": account.username,
            "by": f"an operator of the server ({operator.login})",
            "change": words,
            "reason": operator.reason,
            "at": self.on.now,
        }
        self.on.runtime.jobs.put(
            self.session,
            "account-changed",
            facts,
            recipients=dict.fromkeys((*account.emails, *also)),
            now=self.on.now,
        )
