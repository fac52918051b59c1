"""The budgets of passwords at sign-in: they stop guessing, and strangers cannot lock the owner out.

A try charges three budgets: of the caller's network, of the name as typed, and of the account,
which all its names share. The first two are the same for known and unknown names, and the refusal
names them. The third is never named, as that would show which names belong to one account: there
the password is not checked, and counts as wrong.

A network from which the owner has signed in charges one budget of its own with the account instead.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Executable, bindparam, select
from sqlalchemy.orm import Session

from e2ereset import Account, Refusal, Runtime, name_key
from e2ereset.addresses import network_of
from e2ereset.factors.budgets import Charge, Windows
from e2ereset.server.people.service import addresses_of
from e2ereset.server.settings import ServerSettings
from e2ereset.store.retained import NOW, Expiring
from e2ereset.store.statements import Inserts, Statement
from e2ereset.store.tables import table

from .models import KnownAddress
from .schemas import Credentials

PASSWORD_TRIES = "login:password"  # noqa: S105 - the name of a budget
NAME_TRIES = "login:name"
ADDRESS_TRIES = "login:address"
NAME_OF = "name of a sign-in"
NOBODY = ""  # the account that unknown names are counted on
MANY = 1_000_000_000
KNOWN_SECONDS = 30 * 86400
"""Seconds after a sign-in for which its network counts as the owner's."""

KNOWN = table(KnownAddress)
IS_KNOWN = Statement(
    select(KNOWN.c.seen_at).where(
        KNOWN.c.user_id == bindparam("account"),
        KNOWN.c.network == bindparam("from_network"),
        KNOWN.c.seen_at > bindparam("since"),
    )
)
EXPIRING = Expiring("addresses", KNOWN, KNOWN.c.seen_at <= NOW - KNOWN_SECONDS)


@Statement
def KNOW(insert: Inserts) -> Executable:
    """Store that the user signed in from this network now."""
    statement = insert(KNOWN)
    return statement.on_conflict_do_update(
        index_elements=[KNOWN.c.user_id, KNOWN.c.network],
        set_={"seen_at": statement.excluded.seen_at},
    )


class BlockedForUser(Refusal):
    """The tries at this name are spent, whether anybody has it or not. `retry_after` in seconds."""

    code = "error-login-blocked-for-user"
    reason = "Login has been temporarily blocked For User"
    plain = "Too many sign-ins with this name have failed."

    def __init__(self, retry_after: int | None) -> None:
        self.retry_after = retry_after
        super().__init__()


class BlockedForAddress(BlockedForUser):
    """Too many sign-ins from this address, or its network, have failed."""

    code = "error-login-blocked-for-ip"
    reason = "Login has been temporarily blocked For IP"
    plain = "Too many sign-ins from your address have failed."


@dataclass(frozen=True, slots=True)
class _Budget:
    """Whose tries are counted, for what; the refusal that says they are spent, None for no word."""

    whose: str
    purpose: str
    windows: Windows
    refusal: type[BlockedForUser] | None = None
    guess: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A counted try. `looks`: whether the password may be checked.

    `spent`, `locks`: unless it is right, it was the last one for now, or the last one at all.
    """

    charges: tuple[Charge, ...]
    looks: bool = True

    @property
    def spent(self) -> bool:
        """Whether it was the last try of the name or the account for now."""
        return any(charge.last for charge in self.charges if charge.purpose != ADDRESS_TRIES)

    @property
    def locks(self) -> bool:
        """Whether it was the hundredth failure in a row."""
        return any(charge.locks for charge in self.charges)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginBudgets:
    """Counts the tries at passwords."""

    runtime: Runtime
    settings: ServerSettings

    def count(
        self, account: Account | None, credentials: Credentials, address: str, now: int
    ) -> Tried:
        """Count a try and commit. Raises BlockedForUser, BlockedForAddress.

        The same statements run whether there is such an account or not.
        """
        account_id = account.id if account else NOBODY
        network = self._network(address)
        with self.runtime.transactions.engine.connect() as connection:
            if self._is_known(connection, account_id, network, now):
                budgets = [self._of_owner(account_id, network)]
            else:
                budgets = self._of_stranger(account_id, credentials, network)
            charges, spent = self._charge(connection, budgets, now)
            if spent is None or spent.refusal is None:
                connection.commit()
                return Tried(charges=tuple(charges), looks=spent is None)
        # Nothing was committed: a refused try takes nothing of the other budgets.
        raise spent.refusal(self._wait(spent, now))

    def count_failure(self, account: Account, address: str, now: int) -> None:
        """A wrong second factor after a right password is a failure of the caller's network too."""
        network = self._network(address)
        with self.runtime.transactions.engine.begin() as connection:
            if not self._is_known(connection, account.id, network, now):
                self._charge(connection, [self._of_network(network)], now)

    def take_back(self, session: Session, tried: Tried) -> None:
        """The password was right: take this try back, and nothing else."""
        for charge in tried.charges:
            self.runtime.budgets.refund(session, charge)

    def warn_nobody(self, now: int) -> None:
        """Take the time that a mail to an owner takes, where there is no owner."""
        windows = ((86400, MANY),) * 3
        with self.runtime.transactions.begin() as session:
            for purpose in ("mail:nobody", "mail:nothing"):
                self.runtime.budgets.charge_in(session, NOBODY, purpose, windows=windows, now=now)

    def know(self, session: Session, user_id: str, address: str, now: int) -> None:
        """Remember that the user has signed in from this address."""
        if network := self._network(address):
            KNOW(session, {"user_id": user_id, "network": network, "seen_at": now})

    def forget(self, session: Session, account: Account) -> None:
        """Reset the counts of all names of the account, each under every secret key."""
        emails = [("email", address) for address, _ in addresses_of(session, account.id)]
        for by, name in [("id", account.id), ("username", account.username), *emails]:
            for digest in self.runtime.keyring.digests(NAME_OF, by, _key(by, name)):
                self.runtime.budgets.reopen(session, digest, NAME_TRIES)

    def _network(self, address: str) -> str:
        """The network by which the address is counted."""
        return network_of(address, self.runtime.settings.ipv6_prefix)

    def _is_known(self, connection: Connection, account_id: str, network: str, now: int) -> bool:
        since = {"account": account_id, "from_network": network, "since": now - KNOWN_SECONDS}
        return IS_KNOWN(connection, since).first() is not None

    def _of_owner(self, account_id: str, network: str) -> _Budget:
        purpose, windows = f"{PASSWORD_TRIES}@{network}", self.runtime.settings.verify_windows
        return _Budget(account_id, purpose, windows, BlockedForUser, guess=True)

    def _of_stranger(
        self, account_id: str, credentials: Credentials, network: str
    ) -> list[_Budget]:
        windows = self.runtime.settings.verify_windows
        # A digest, as the name may be a password that was typed in the wrong field.
        name = _key(credentials.by, credentials.name)
        digest = self.runtime.keyring.digest(NAME_OF, credentials.by, name)
        endless = tuple((length, MANY) for length, _ in windows)
        by_account = _Budget(account_id, PASSWORD_TRIES, windows, guess=True)
        return [
            self._of_network(network),
            _Budget(digest, NAME_TRIES, windows, BlockedForUser),
            by_account if account_id != NOBODY else _Budget(NOBODY, PASSWORD_TRIES, endless),
        ]

    def _of_network(self, network: str) -> _Budget:
        return _Budget(network, ADDRESS_TRIES, self.settings.address_windows, BlockedForAddress)

    def _charge(
        self, connection: Connection, budgets: list[_Budget], now: int
    ) -> tuple[list[Charge], _Budget | None]:
        """Charge the budgets in order; the charges, and the first budget that is spent."""
        charges: list[Charge] = []
        for budget in budgets:
            charge = self.runtime.budgets.charge_in(
                connection,
                budget.whose,
                budget.purpose,
                windows=budget.windows,
                now=now,
                guess=budget.guess,
            )
            if charge is None:
                return charges, budget
            charges.append(charge)
        return charges, None

    def _wait(self, budget: _Budget, now: int) -> int | None:
        budgets = self.runtime.budgets
        refusal = budgets.refusal(budget.whose, budget.purpose, budget.windows, now)
        return refusal.retry_after if refusal else 1


def _key(by: str, name: str) -> str:
    """The text by which all spellings of a name are counted; an id has one spelling."""
    return name if by == "id" else name_key(name)
