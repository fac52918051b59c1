"""Rotation: brings what older secret keys encrypted or signed under the newest one.

It runs beside the traffic, and may be killed and run again: a row is written by one UPDATE that
names the text it was read with, so that whoever changed the row meanwhile wins, and what is
encrypted with the newest key already is passed over.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, and_, bindparam, func, select, union_all, update

from e2ereset.audit.maintenance import count_old, sign_again
from e2ereset.crypto import ID_LENGTH, KeyRing, UnknownKey
from e2ereset.factors.models import EmailChallenge
from e2ereset.parts import Parts
from e2ereset.store.paging import KeysetPages, Page
from e2ereset.store.retained import Encrypted
from e2ereset.store.tables import table
from e2ereset.store.transactions import run

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
    """What one batch did: how many texts or signatures it renewed, and what no secret key opens."""

    renewed: int
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What still needs a secret key that is not the newest one.

    `key` is the id of the secret key; None means that it can be any older one. `until`, in epoch
    seconds, is set for what expires.
    """

    what: str
    key: str | None
    count: int
    until: int | None = None


class Column:
    """The statements that find and renew the texts of one encrypted column."""

    def __init__(self, encrypted: Encrypted, newest: str) -> None:
        self.encrypted = encrypted
        column, rows = encrypted.column, encrypted.column.table
        assert isinstance(rows, Table)  # noqa: S101 - a column of a view is never written
        (primary,) = rows.primary_key
        self.pages = KeysetPages(primary)
        old = and_(self.pages.within, column.not_like(f"{newest}:%"))
        key = func.substr(column, 1, ID_LENGTH).label("key")
        self.old = select(rows).where(old)
        self.uses = select(key, func.count().label("rows")).where(old).group_by(key)
        self.renew = (
            update(rows)
            .where(primary == bindparam("its_key"), column == bindparam("was"))
            .values({column.name: bindparam("renewed")})
        )

    def renewed(self, keyring: KeyRing, row: Row[Any]) -> dict[str, str]:
        """The parameters of `renew`. Raises UnknownKey when no secret key opens the row's text."""
        encrypted, was = self.encrypted, row._mapping[self.encrypted.column.name]
        renewed = keyring.reencrypt(encrypted.purpose, encrypted.context(row), was)
        return {"its_key": row[0], "was": was, "renewed": renewed}


@dataclass(frozen=True)
class Rotation:
    """Brings everything under the newest secret key, and says which older ones can go."""

    parts: Parts
    encrypted: Sequence[Encrypted]

    def rotate(self, size: int) -> Iterator[Batch]:
        """Renew what is old, `size` rows in a transaction; goes on as the batches are taken.

        Raises AuditBroken, after everything else is done.
        """
        for column in self._columns():
            for page in column.pages.pages(self.parts.transactions, size):
                yield self._renew(column, page)
        parts = self.parts
        for count in sign_again(parts.transactions, parts.keyring, size, clock=parts.clock):
            yield Batch(count)

    def uses(self, size: int) -> list[Use]:
        """What still needs an older secret key; empty when none does. Changes nothing."""
        with self.parts.transactions.read() as session:
            codes = {"newest": f"{self.parts.keyring.newest}:%", "now": int(self.parts.clock())}
            found = run(session, LIVE_CODES, codes).all()
            uses = [Use(what="mailed codes", **row._asdict()) for row in found]
            if heads := count_old(session, self.parts.keyring):
                uses.append(Use(what="audit heads", key=None, count=heads))
        return uses + [use for column in self._columns() for use in self._uses_of(column, size)]

    def _columns(self) -> list[Column]:
        return [Column(encrypted, self.parts.keyring.newest) for encrypted in self.encrypted]

    def _renew(self, column: Column, page: Page) -> Batch:
        fresh, unreadable = [], []
        with self.parts.transactions.read() as session:
            rows = run(session, column.old, page.bounds).all()
        for row in rows:
            try:
                fresh.append(column.renewed(self.parts.keyring, row))
            except UnknownKey:
                unreadable.append(f"{column.encrypted} of {row[0]}")
        if not fresh:
            return Batch(0, tuple(unreadable))
        with self.parts.transactions.begin() as session:
            renewed = sum(run(session, column.renew, values).rowcount for values in fresh)
        return Batch(renewed, tuple(unreadable))

    def _uses_of(self, column: Column, size: int) -> Iterator[Use]:
        counts: Counter[str] = Counter()
        for page in column.pages.pages(self.parts.transactions, size):
            with self.parts.transactions.read() as session:
                counts.update({row.key: row.rows for row in run(session, column.uses, page.bounds)})
        for key, count in counts.items():
            yield Use(what=str(column.encrypted), key=key, count=count)
