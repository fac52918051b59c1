"""Key rotation: encrypts again, under the newest secret key, what an older one has encrypted.

It runs beside the traffic, and may be killed and run again: a row is written by one UPDATE that
names the text it was read with, so that whoever changed the row meanwhile wins, and what is
encrypted with the newest key already is passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, and_, bindparam, func, select, union_all, update

from e2ereset import audit
from e2ereset.crypto import ID_LENGTH, KeyRing, UnknownKey
from e2ereset.factors.models import EmailChallenge
from e2ereset.store.paging import Page, Walk
from e2ereset.store.retained import Encrypted
from e2ereset.store.tables import table
from e2ereset.store.transactions import Transactions, run

CODES = table(EmailChallenge)
DIGESTS = union_all(
    select(CODES.c.digest, CODES.c.expires_at),
    select(CODES.c.extra_digest, CODES.c.extra_expires_at),
).subquery()
CODE_KEY = func.substr(DIGESTS.c.digest, 1, ID_LENGTH).label("key")
LIVE_CODES = (
    select(CODE_KEY, func.count().label("count"), func.max(DIGESTS.c.expires_at).label("until"))
    .where(DIGESTS.c.expires_at > bindparam("now"), DIGESTS.c.digest.not_like(bindparam("newest")))
    .group_by(CODE_KEY)
)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch did: rows passed, texts encrypted or signed again, rows that no key opens."""

    rows: int
    renewed: int
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What still needs a secret key that is not the newest one.

    `key` is the id of the key; None means that it can be any older one. `until`, in epoch
    seconds, is set for what passes by itself.
    """

    what: str
    key: str | None
    count: int
    until: int | None = None


class Column:
    """The statements that find and renew the texts of one encrypted column."""

    def __init__(self, encrypted: Encrypted, newest: str) -> None:
        self.encrypted = encrypted
        self._column, rows = encrypted.column, encrypted.column.table
        assert isinstance(rows, Table)  # noqa: S101 - a column of a view is never written
        (key,) = rows.primary_key
        self.walk = Walk(key)
        old = and_(self.walk.within, self._column.not_like(f"{newest}:%"))
        prefix = func.substr(self._column, 1, ID_LENGTH).label("key")
        self.size = select(func.count()).select_from(rows)
        self.old = select(rows).where(old)
        self.uses = select(prefix, func.count().label("rows")).where(old).group_by(prefix)
        self.renew = (
            update(rows)
            .where(key == bindparam("its_key"), self._column == bindparam("was"))
            .values({self._column.name: bindparam("renewed")})
        )

    def renewed(self, keyring: KeyRing, row: Row[Any]) -> dict[str, str]:
        """The parameters of `renew`. Raises UnknownKey when no key opens the row's text."""
        was, encrypted = row._mapping[self._column.name], self.encrypted
        renewed = keyring.reencrypt(encrypted.purpose, encrypted.context(row), was)
        return {"its_key": row[0], "was": was, "renewed": renewed}


class Rotation:
    """Brings everything under the newest secret key, and says which keys can go."""

    def __init__(
        self,
        transactions: Transactions,
        keyring: KeyRing,
        *,
        columns: Iterable[Encrypted],
        clock: Callable[[], float],
    ) -> None:
        self._transactions = transactions
        self._keyring = keyring
        self._columns = [Column(encrypted, keyring.newest) for encrypted in columns]
        self._clock = clock

    def count_rows(self) -> int:
        """How many rows all batches together will pass, about."""
        with self._transactions.read() as session:
            old_heads = audit.count_old(session, self._keyring)
            sizes = (run(session, column.size).scalar_one() for column in self._columns)
            return old_heads + int(sum(sizes))

    def rotate(self, size: int) -> Iterator[Batch]:
        """Renew what is old, `size` rows in a transaction; goes on as the batches are taken.

        Raises AuditBroken, after everything else is done.
        """
        for column in self._columns:
            for page in column.walk.pages(self._transactions, size):
                yield self._renew(column, page)
        for count in audit.sign_again(self._transactions, self._keyring, size, clock=self._clock):
            yield Batch(count, count)

    def uses(self, size: int) -> list[Use]:
        """What still needs an older key; nothing is left when it is empty. Changes nothing."""
        with self._transactions.read() as session:
            codes = {"newest": f"{self._keyring.newest}:%", "now": int(self._clock())}
            found = run(session, LIVE_CODES, codes).all()
            uses = [Use(what="mailed codes", **row._asdict()) for row in found]
            heads = audit.count_old(session, self._keyring)
        if heads:
            uses.append(Use(what="audit heads", key=None, count=heads))
        return uses + [use for column in self._columns for use in self._uses_of(column, size)]

    def _renew(self, column: Column, page: Page) -> Batch:
        fresh, unreadable = [], []
        with self._transactions.read() as session:
            rows = run(session, column.old, page.bounds).all()
        for row in rows:
            try:
                fresh.append(column.renewed(self._keyring, row))
            except UnknownKey:
                unreadable.append(f"{column.encrypted} of {row[0]}")
        if not fresh:
            return Batch(page.keys, 0, tuple(unreadable))
        with self._transactions.begin() as session:
            renewed = sum(run(session, column.renew, values).rowcount for values in fresh)
        return Batch(page.keys, renewed, tuple(unreadable))

    def _uses_of(self, column: Column, size: int) -> Iterator[Use]:
        counts: Counter[str] = Counter()
        for page in column.walk.pages(self._transactions, size):
            with self._transactions.read() as session:
                counts.update({row.key: row.rows for row in run(session, column.uses, page.bounds)})
        for key, count in counts.items():
            yield Use(what=str(column.encrypted), key=key, count=count)
