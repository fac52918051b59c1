"""Stores the accounts' key pairs. The library never reads into the private key."""

from dataclasses import dataclass, field

from sqlalchemy import Executable, bindparam, delete, select, update
from sqlalchemy.orm import Session

from e2ereset.errors import KeysAlreadySet
from e2ereset.factors.rechecks import Rechecks
from e2ereset.parts import Parts
from e2ereset.ports import KnowsRooms, ListensForKeys
from e2ereset.records import Caller
from e2ereset.rooms import RoomState
from e2ereset.store.statements import Inserts, Statement
from e2ereset.store.tables import table
from e2ereset.store.transactions import run

from .models import KeyPair
from .thumbprints import is_same_key, thumbprint

ACTION = "set-e2e-keys"

KEYS = table(KeyPair)
GET = Statement(
    select(KEYS.c.public_key, KEYS.c.private_key).where(KEYS.c.account_id == bindparam("account"))
)
FACTS = select(KEYS.c.public_key, KEYS.c.set_at).where(KEYS.c.account_id == bindparam("account"))
DROP = Statement(delete(KEYS).where(KEYS.c.account_id == bindparam("account")))
WRAP_ANEW = Statement(
    update(KEYS)
    .where(KEYS.c.account_id == bindparam("account"))
    .values(private_key=bindparam("private"), set_at=bindparam("now"))
)


@Statement
def ADD(insert: Inserts) -> Executable:
    """Store a pair if there is no public key yet; else lock the stored pair."""
    statement = insert(KEYS)
    names = ("public_key", "private_key", "set_at")
    return statement.on_conflict_do_update(
        index_elements=[KEYS.c.account_id],
        set_={name: statement.excluded[name] for name in names},
        where=KEYS.c.public_key == "",
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """A key pair; the private key is wrapped with its owner's E2E password."""

    public_key: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """What is shown of a pair: when it was stored, in epoch seconds, and its fingerprint.

    That is the hex thumbprint of the public key (RFC 7638), empty for one that is no JWK.
    """

    set_at: int
    fingerprint: str


class Vault:
    """Stores and returns the key pairs of accounts."""

    def __init__(self, parts: Parts, rechecks: Rechecks) -> None:
        self._parts = parts
        self._rechecks = rechecks
        self._host = parts.accounts if isinstance(parts.accounts, KnowsRooms) else None
        self._listener = parts.accounts if isinstance(parts.accounts, ListensForKeys) else None

    @property
    def knows_rooms(self) -> bool:
        """Whether the host tells which rooms can be read."""
        return self._host is not None

    def rooms(self, account_id: str) -> tuple[RoomState, ...]:
        """The encrypted rooms of the account, as its host tells; none where it tells nothing."""
        if self._host is None:
            return ()
        with self._parts.transactions.look_up() as session:
            return tuple(self._host.readable_rooms(session, account_id, int(self._parts.clock())))

    def get(self, account_id: str) -> Pair | None:
        """The stored pair; None when no public key is set, as after a reset."""
        with self._parts.transactions.look_up() as session:
            pair = _stored(session, account_id)
        return pair if pair and pair.public_key else None

    def facts(self, account_id: str) -> PairFacts | None:
        """What is shown of the stored pair; None when no public key is set."""
        with self._parts.transactions.look_up() as session:
            return facts_in(session, account_id)

    def set(self, caller: Caller, pair: Pair, *, force: bool, now: int) -> bool:
        """Store the caller's first pair, or with `force` a new private key for the same public key.

        False, and nothing is stored, if another public key is stored: replacing it is a reset, see
        `Resets.replace_key`. Raises KeysAlreadySet when there is a pair and `force` is not given,
        and NotSignedIn when a reset has just ended the caller's sign-in.
        """
        with self._parts.transactions.begin() as session:
            known = self._rechecks.knows(session, caller)
            # First the sign-in, then the pair: a reset locks them in the same order.
            caller = self._rechecks.caller(session, caller, now, known=known)
            if self.add(session, caller.account.id, pair, now):
                return True
            return self._wrap_anew(session, caller, pair, force=force, now=now)

    def add(self, session: Session, account_id: str, pair: Pair, now: int) -> bool:
        """Store the account's first pair. False when a public key is stored already."""
        halves = {"public_key": pair.public_key, "private_key": pair.private_key}
        if not ADD(session, {"account_id": account_id, "set_at": now, **halves}).rowcount:
            return False
        if self._listener:
            self._listener.keys_set(session, account_id, now)
        return True

    def _wrap_anew(
        self, session: Session, caller: Caller, pair: Pair, *, force: bool, now: int
    ) -> bool:
        stored = _stored(session, caller.account.id)
        assert stored is not None  # noqa: S101 - `add` has locked it
        if stored.private_key and not force:
            raise KeysAlreadySet(method="e2e.setUserPublicAndPrivateKeys")
        if not is_same_key(stored.public_key, pair.public_key):
            return False
        # The stored text of the public key stays: a JWK may hold more than the key, which a token
        # alone must not change.
        if stored.private_key != pair.private_key:
            values = {"account": caller.account.id, "private": pair.private_key, "now": now}
            WRAP_ANEW(session, values)
            self._tell(session, caller, now)
        return True

    def _tell(self, session: Session, caller: Caller, now: int) -> None:
        account = caller.account
        self._parts.mail_owner(session, "key-wrapped-anew", account, now=now, place=caller)
        self._parts.audit.write(
            session, ACTION, caller, at=now, target=account.id, outcome="wrapped-anew"
        )


def facts_in(session: Session, account_id: str) -> PairFacts | None:
    """`Vault.facts`, in an open transaction."""
    row = run(session, FACTS, {"account": account_id}).first()
    if row is None or not row.public_key:
        return None
    return PairFacts(set_at=row.set_at, fingerprint=thumbprint(row.public_key) or "")


def drop_key_pair(session: Session, account_id: str) -> bool:
    """Delete the pair as part of a reset. True when there was one."""
    return DROP(session, {"account": account_id}).rowcount > 0


def _stored(session: Session, account_id: str) -> Pair | None:
    row = GET(session, {"account": account_id}).first()
    return row and Pair(row.public_key, row.private_key)
