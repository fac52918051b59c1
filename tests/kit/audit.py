"""An audit log of a test's own, and what one does to it."""

import re
import secrets
from dataclasses import dataclass

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from e2ereset.audit import Actor, AuditTrail, Sealer
from e2ereset.audit.maintenance import count_old, purge, sign_again
from e2ereset.audit.models import AuditRow
from e2ereset.audit.notes import PublicKey
from e2ereset.audit.outsiders import make_checkpoint
from e2ereset.audit.verify import Flaw, verify, verify_checkpoints
from e2ereset.crypto import KeyRing
from e2ereset.store.transactions import Transactions
from tests.kit.databases import ON_POSTGRESQL

NOW = 1_700_000_000
ORIGIN = "log.example"
TABLES = {
    "rows": "e2ereset_audit",
    "heads": "e2ereset_audit_heads",
    "purges": "e2ereset_audit_purges",
    "sealer": "e2ereset_audit_sealer",
}
# Slip a copy of the second row in, or of another; position and row are to be filled in.
COPY = (
    "INSERT INTO rows (uid, at, action, caller, target, method, address, agent, outcome, digest,"
    " position) SELECT 'new', at, action, caller, target, method, address, agent, outcome, digest,"
    " {} FROM rows WHERE position = {}"
)
TABLE = re.compile(rf"\b({'|'.join(TABLES)})\b")
KEY, NEW_KEY = "a secret key for the tests", "a newer secret key of the tests"


def write_row(trail, session, *, action="reset", caller="alice", at=NOW, **facts) -> None:
    """Add a row by the trail, of somebody who is no operator and has no account."""
    who = {key: facts.pop(key) for key in ("address", "agent", "reason") if key in facts}
    trail.write(session, action, Actor(id=caller, **who), at=at, **facts)


@dataclass
class Log:
    """An audit log in a database, and what one does to it."""

    transactions: Transactions
    keyring: KeyRing

    def write(self, *actions: str, **facts) -> None:
        with self.transactions.begin() as session:
            for action in actions:
                write_row(AuditTrail(self.keyring, secrets), session, action=action, **facts)

    def seal(self, batch: int = 1000, at: float = NOW + 1.5) -> int:
        return Sealer(self.transactions, self.keyring, clock=lambda: at, batch=batch).seal()

    def grow(self, *heads: str, every: int = 100) -> None:
        """A row for each letter and a head for each word, a head and its rows `every` seconds."""
        for number, word in enumerate(heads):
            self.write(*word, at=NOW + number * every)
            self.seal(at=NOW + number * every + 1)

    def purge(self, before: int, batch: int = 1000) -> list[int]:
        now = NOW + 10_000
        return list(purge(self.transactions, self.keyring, before=before, now=now, batch=batch))

    def sign_again(self, batch: int = 100) -> list[int]:
        return list(sign_again(self.transactions, self.keyring, batch, clock=lambda: NOW + 20_000))

    def count_old(self) -> int:
        with self.transactions.read() as session:
            return count_old(session, self.keyring)

    def checkpoint(self) -> str:
        with self.transactions.read() as session:
            return make_checkpoint(session, self.keyring, ORIGIN)

    def held_against(self, text: str, *public: str) -> str:
        keys = [PublicKey.parse(key) for key in public]
        with self.transactions.read() as session:
            return listed(verify_checkpoints(session, self.keyring, text, keys))

    def under(self, *secret_keys: str) -> "Log":
        """The same log, by somebody who holds these keys."""
        return Log(self.transactions, KeyRing(secret_keys))

    def tamper(self, *statements) -> None:
        """Change the tables behind our back; in a text they are `rows`, `heads` and so on."""
        with self.transactions.begin() as session:
            for statement in statements:
                if isinstance(statement, str):
                    statement = TABLE.sub(lambda found: TABLES[found[0]], statement)
                    statement = text(statement.replace("KEY:", f"{self.keyring.newest}\\:"))
                assert session.execute(statement).rowcount != 0

    def garble(self, *statements: str) -> None:
        """Tamper with what only a database with loose types takes."""
        try:
            self.tamper(*statements)
        except DBAPIError:
            if not ON_POSTGRESQL:
                raise
            pytest.skip("PostgreSQL does not take it")

    def uid(self, position: int | None) -> str:
        with self.transactions.read() as session:
            same = AuditRow.position.is_not_distinct_from(position)
            return session.scalars(select(AuditRow.uid).where(same).limit(1)).one()

    def all(self, *columns) -> list:
        with self.transactions.read() as session:
            return list(session.execute(select(*columns).order_by(columns[0])))

    def column(self, column) -> list:
        return [value for (value,) in self.all(column)]

    def verify(self) -> list[Flaw]:
        with self.transactions.read() as session:
            return verify(session, self.keyring)

    def found(self) -> str:
        return listed(self.verify())


def listed(flaws: list[Flaw]) -> str:
    return ", ".join(f"{flaw.kind} {flaw.where}" for flaw in flaws)


@pytest.fixture
def log(engine) -> Log:
    return Log(Transactions(lambda: engine), KeyRing([KEY]))


@pytest.fixture
def sealed(log) -> Log:
    """Six rows under two heads, of sizes 3 and 6."""
    log.write("a", "b", "c")
    log.seal()
    log.write("d", "e", "f")
    log.seal()
    return log
