"""Whom a caller may help, and what there is to know of them. No secret is ever among it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from e2ereset import Account, Caller, Runtime
from e2ereset.errors import MissingPermission
from e2ereset.factors.enrolment import FactorStatus
from e2ereset.permissions.service import EDIT_OTHER_USER_E2EE
from e2ereset.records import TargetName
from e2ereset.reset.plan import Plan
from e2ereset.server.people.accounts import get_account
from e2ereset.server.people.helpable import Helpable
from e2ereset.server.roles.service import ACCESS

PAGE = 20
"""How many people a page lists."""
ANY = (EDIT_OTHER_USER_E2EE, ACCESS)
"""One of them is enough to see whom one may act on: to reset keys, or to change roles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a reset would cost this account now, and how its factors are.

    `left` has the tries that are left of each method in use, or of the password where none is.
    `held` is until when resets are held, in epoch seconds.
    """

    account: Account
    plan: Plan
    factors: FactorStatus
    left: dict[str, int]
    held: int | None


@dataclass(frozen=True, slots=True)
class Helping:
    """Finds the accounts on which a caller may act: whose key to reset, whose roles to change.

    The others are not there for the caller, as somebody who does not exist.
    """

    runtime: Runtime

    def search(self, caller: Caller, text: str, after: str) -> tuple[list[Any], str]:
        """The people whose username or name has this text, by username, after this one.

        Also the username to go on after, which is empty at the end. Raises MissingPermission.
        """
        with self._permitted(caller, ANY) as session:
            rows = self._helpable(session, caller).search(session, text, after, PAGE + 1)
        shown = rows[:PAGE]
        return shown, shown[-1].username if len(rows) > PAGE else ""

    def find(self, caller: Caller, user_id: str, permissions: Collection[str]) -> Account | None:
        """The account of this id, if the caller may act on it.

        Raises MissingPermission unless the caller holds one of the permissions.
        """
        with self._permitted(caller, permissions) as session:
            found = self._helpable(session, caller).among(session, [user_id])
            return get_account(session, user_id) if found else None

    def among(self, caller: Caller, ids: Collection[str]) -> set[str]:
        """Those of these accounts on which the caller may act. Raises MissingPermission."""
        with self._permitted(caller, ANY) as session:
            return self._helpable(session, caller).among(session, ids)

    def state(self, caller: Caller, account: Account, now: int) -> State:
        """What there is to know of this account. Raises as `Resets.preview` does."""
        runtime, factors = self.runtime, self.runtime.factors.status(account.id)
        plan = runtime.resets.preview(caller, TargetName(user_id=account.id), now)
        falls_back = [one.name for one in runtime.strategies if one.fallback]
        used = factors.in_use or (falls_back if account.has_password else [])
        with runtime.transactions.read() as session:
            left = {one: self._left(session, account, one, now) for one in used}
        held = runtime.resets.holds.held_until(account.id, now)
        return State(account=account, plan=plan, factors=factors, left=left, held=held)

    def _left(self, session: Session, account: Account, method: str, now: int) -> int:
        budgets, windows = self.runtime.budgets, self.runtime.settings.verify_windows
        return budgets.left(session, account.id, f"verify:{method}", windows=windows, now=now)

    @contextmanager
    def _permitted(self, caller: Caller, wanted: Collection[str]) -> Iterator[Session]:
        """A session for reading. Raises MissingPermission unless the caller holds one of them."""
        permissions = self.runtime.permissions
        permissions.seed_once()
        with self.runtime.transactions.read() as session:
            roles = caller.account.roles
            if not any(permissions.allows(session, roles, one) for one in wanted):
                raise MissingPermission()
            yield session

    def _helpable(self, session: Session, caller: Caller) -> Helpable:
        roles, peers = caller.account.roles, self.runtime.settings.peer_resets
        below = self.runtime.permissions.below(session, roles, peers=peers)
        return Helpable(caller_id=caller.account.id, below=below)
