"""The vault: key pairs for hosts that have no place of their own for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Executable, bindparam, delete, or_, select
from sqlalchemy.orm import Session

from e2ereset.errors import KeysAlreadySet
from e2ereset.models import KeyPair, table
from e2ereset.ports import Accounts, HearsOfKeys, RechecksSignIns
from e2ereset.records import Caller
from e2ereset.sql import Inserts, PerDialect, Transactions, run
from e2ereset.stepup import recheck_sign_in

KEYS = table(KeyPair)
GET = select(KEYS.c.public_key, KEYS.c.private_key).where(KEYS.c.account_id == bindparam("account"))
DROP = delete(KEYS).where(KEYS.c.account_id == bindparam("account"))


@PerDialect
def SET(insert: Inserts) -> Executable:
    """Store a pair; without `force` not over one that has both its halves."""
    statement = insert(KEYS)
    names = ("public_key", "private_key", "set_at")
    return statement.on_conflict_do_update(
        index_elements=[KEYS.c.account_id],
        set_={name: statement.excluded[name] for name in names},
        where=or_(bindparam("force"), KEYS.c.public_key == "", KEYS.c.private_key == ""),
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """A stored key pair; the private key is wrapped by its owner's E2E password."""

    public_key: str
    private_key: str = field(repr=False)


class Vault:
    """Stores and gives out an account's own key pair."""

    def __init__(self, transactions: Transactions, accounts: Accounts) -> None:
        self._transactions = transactions
        self._sign_ins = accounts if isinstance(accounts, RechecksSignIns) else None
        self._listener = accounts if isinstance(accounts, HearsOfKeys) else None

    def get(self, account_id: str) -> Pair | None:
        """The stored pair; None when no public key is set, as after a reset."""
        with self._transactions.read() as session:
            row = session.execute(GET, {"account": account_id}).first()
        return Pair(row.public_key, row.private_key) if row and row.public_key else None

    def set(self, caller: Caller, pair: Pair, *, force: bool, now: int) -> None:
        """Store the caller's pair.

        Raises KeysAlreadySet when there is one and `force` is not given, NotSignedIn when a
        reset has just ended the caller's sign-in: no key comes from a dead one.
        """
        account_id = caller.account.id
        values: dict[str, Any] = {
            "account_id": account_id,
            "public_key": pair.public_key,
            "private_key": pair.private_key,
            "set_at": now,
            "force": force,
        }
        with self._transactions.begin() as session:
            # The sign-in before the pair, in the order in which a reset locks them.
            recheck_sign_in(self._sign_ins, session, caller)
            if not SET(session, values).rowcount:
                raise KeysAlreadySet(method="e2e.setUserPublicAndPrivateKeys")
            if self._listener:
                self._listener.keys_set(session, account_id, now)


def drop_key_pair(session: Session, account_id: str) -> bool:
    """Drop the pair as part of a reset. True when there was one."""
    return run(session, DROP, {"account": account_id}).rowcount > 0
