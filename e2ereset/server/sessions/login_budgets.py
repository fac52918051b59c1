"""The budgets of passwords at sign-in: strangers run out of tries, and cannot keep the owner out.

Three are charged at once: that of the caller's network, that of the name as it was typed, and that
of the account, by which all its names share one. The first two are the same for known and unknown
names, and are said when they are spent. The third is never said, or it would tell which names are
of one account: the password is not looked at, and is wrong.

A network from which the owner signed in has one budget of its own with the account instead.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, Executable, bindparam, delete, select
from sqlalchemy.orm import Session

from e2ereset import Account, Refusal
from e2ereset.addresses import network_of
from e2ereset.factors.budgets import Charge, Windows
from e2ereset.factors.models import Budget
from e2ereset.records import name_key
from e2ereset.runtime import Runtime
from e2ereset.server.people.models import Email
from e2ereset.server.settings import ServerSettings
from e2ereset.store.retained import NOW, Expiring
from e2ereset.store.tables import table
from e2ereset.store.transactions import Inserts, PerDialect, run

from .models import KnownAddress
from .schemas import Credentials

PASSWORD_TRIES = "login:password"  # noqa: S105 - the name of a budget
NAME_TRIES = "login:name"
ADDRESS_TRIES = "login:address"
NAME_OF = "name of a sign-in"
NOBODY = ""  # the account that unknown names are counted on
MANY = 1_000_000_000
KNOWN_SECONDS = 30 * 86400
"""For so long after a sign-in its network is known as the owner's."""

KNOWN = table(KnownAddress)
MINE = KNOWN.c.user_id == bindparam("account")
IS_KNOWN = select(KNOWN.c.seen_at).where(
    MINE, KNOWN.c.network == bindparam("from_network"), KNOWN.c.seen_at > bindparam("since")
)
ADDRESSES = select(table(Email).c.address).where(table(Email).c.user_id == bindparam("account"))
BUDGETS = table(Budget)
FORGET_NAMES = delete(BUDGETS).where(
    BUDGETS.c.account_id.in_(bindparam("names", expanding=True)),
    BUDGETS.c.purpose == bindparam("for"),
)


@PerDialect
def KNOW(insert: Inserts) -> Executable:
    """Note a network of the user, or that it was seen again."""
    statement = insert(KNOWN)
    return statement.on_conflict_do_update(
        index_elements=[KNOWN.c.user_id, KNOWN.c.network],
        set_={"seen_at": statement.excluded.seen_at},
    )


EXPIRING = Expiring("addresses", KNOWN, KNOWN.c.seen_at <= NOW - KNOWN_SECONDS)


class BlockedForUser(Refusal):
    """The tries at this name are spent, whether anybody has it or not. `retry_after` in seconds."""

    code = "error-login-blocked-for-user"
    reason = "Login has been temporarily blocked For User"

    def __init__(self, retry_after: int | None) -> None:
        self.retry_after = retry_after
        super().__init__()


class BlockedForAddress(BlockedForUser):
    """Too many sign-ins from this address, or its network, have failed."""

    code = "error-login-blocked-for-ip"
    reason = "Login has been temporarily blocked For IP"


@dataclass(frozen=True, slots=True)
class _Budget:
    """Whose tries are counted, for what, and what is said when they are spent."""

    whose: str
    purpose: str
    windows: Windows
    guess: bool = False
    refusal: type[BlockedForUser] = BlockedForUser


class _Spent(Exception):
    def __init__(self, budget: _Budget) -> None:
        self.budget = budget
        super().__init__(budget.purpose)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A counted try. `looks`: whether the password may be looked at.

    `spent` and `locks`: it was the last one for now, or at all, unless it is right.
    """

    charges: tuple[Charge, ...]
    looks: bool = True

    @property
    def spent(self) -> bool:
        """Whether a budget of the name or the account has run out with it."""
        return any(charge.last for charge in self.charges if charge.purpose != ADDRESS_TRIES)

    @property
    def locks(self) -> bool:
        """Whether a hundred in a row have failed with it."""
        return any(charge.locks for charge in self.charges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """Counts the tries at passwords."""

    runtime: Runtime
    settings: ServerSettings

    def count(
        self, account: Account | None, credentials: Credentials, address: str, now: int
    ) -> Tried:
        """Count a try, for good. Raises BlockedForUser, BlockedForAddress.

        The same statements run whether there is such an account or not.
        """
        account_id = account.id if account else NOBODY
        network = self.network(address)
        try:
            with self.runtime.transactions.engine.begin() as connection:
                if self._is_known(connection, account_id, network, now):
                    own = self._own(account_id, network)
                    return Tried(charges=(self._charge(connection, own, now),))
                return self._count_stranger(connection, account_id, credentials, network, now=now)
        except _Spent as spent:
            raise spent.budget.refusal(self._wait(spent.budget, now)) from None

    def count_failure(self, account: Account, address: str, now: int) -> None:
        """A wrong second factor after a right password is a failure of the caller's network too."""
        network = self.network(address)
        with self.runtime.transactions.engine.begin() as connection, suppress(_Spent):
            if not self._is_known(connection, account.id, network, now):
                self._charge(connection, self._of_network(network), now)

    def take_back(self, session: Session, tried: Tried) -> None:
        """The password was right: take back what it was charged, and nothing else."""
        for charge in tried.charges:
            self.runtime.stepup.budgets.refund(session, charge)

    def warn_nobody(self, now: int) -> None:
        """What a mail to an owner costs, its count and its row, where there is no owner."""
        with self.runtime.transactions.begin() as session:
            for purpose in ("mail:nobody", "mail:nothing"):
                self.runtime.stepup.budgets.charge_in(
                    session, NOBODY, purpose, windows=((86400, MANY),) * 3, now=now
                )

    def know(self, session: Session, user_id: str, address: str, now: int) -> None:
        """The user has signed in from this address, with all that it takes."""
        network = self.network(address)
        if network:
            KNOW(session, {"user_id": user_id, "network": network, "seen_at": now})

    def forget(self, session: Session, account: Account) -> None:
        """Begin the counts of all the account's names anew, each under every secret key."""
        addresses = session.scalars(ADDRESSES, {"account": account.id})
        names = [("id", account.id), ("username", account.username)]
        for by, name in [*names, *(("email", address) for address in addresses)]:
            key = name if by == "id" else name_key(name)
            digests = self.runtime.keyring.digests(NAME_OF, by, key)
            run(session, FORGET_NAMES, {"names": digests, "for": NAME_TRIES})

    def network(self, address: str) -> str:
        """What the address is counted by."""
        return network_of(address, self.runtime.settings.ipv6_prefix)

    def _is_known(self, connection: Connection, account_id: str, network: str, now: int) -> bool:
        since = {"account": account_id, "from_network": network, "since": now - KNOWN_SECONDS}
        return run(connection, IS_KNOWN, since).first() is not None

    def _count_stranger(
        self,
        connection: Connection,
        account_id: str,
        credentials: Credentials,
        network: str,
        *,
        now: int,
    ) -> Tried:
        # One that is spent ends the transaction, so that it takes nothing of the others.
        by_network = self._charge(connection, self._of_network(network), now)
        by_name = self._charge(connection, self._of_name(credentials), now)
        try:
            by_account = self._charge(connection, self._of_account(account_id), now)
        except _Spent:
            return Tried(charges=(by_network, by_name), looks=False)
        return Tried(charges=(by_network, by_name, by_account))

    def _of_network(self, network: str) -> _Budget:
        windows = self.settings.address_windows
        return _Budget(network, ADDRESS_TRIES, windows, refusal=BlockedForAddress)

    def _of_name(self, credentials: Credentials) -> _Budget:
        return _Budget(self._digest(credentials), NAME_TRIES, self.runtime.settings.verify_windows)

    def _of_account(self, account_id: str) -> _Budget:
        windows = self.runtime.settings.verify_windows
        if account_id == NOBODY:
            return _Budget(NOBODY, PASSWORD_TRIES, tuple((length, MANY) for length, _ in windows))
        return _Budget(account_id, PASSWORD_TRIES, windows, guess=True)

    def _own(self, account_id: str, network: str) -> _Budget:
        windows = self.runtime.settings.verify_windows
        return _Budget(account_id, f"{PASSWORD_TRIES}@{network}", windows, guess=True)

    def _charge(self, connection: Connection, budget: _Budget, now: int) -> Charge:
        charge = self.runtime.stepup.budgets.charge_in(
            connection,
            budget.whose,
            budget.purpose,
            windows=budget.windows,
            now=now,
            guess=budget.guess,
        )
        if charge is None:
            raise _Spent(budget)
        return charge

    def _wait(self, budget: _Budget, now: int) -> int | None:
        budgets = self.runtime.stepup.budgets
        refusal = budgets.refusal(budget.whose, budget.purpose, budget.windows, now)
        return refusal.retry_after if refusal else 1

    def _digest(self, credentials: Credentials) -> str:
        """What stands for a name that may be anybody's, or a password typed in the wrong field."""
        by_id = credentials.by == "id"
        name = credentials.name if by_id else name_key(credentials.name)
        return self.runtime.keyring.digest(NAME_OF, credentials.by, name)
