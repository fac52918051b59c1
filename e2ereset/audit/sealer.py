"""The sealer: puts the rows written since into the tree, and signs its new head.

Rows get their places in the order of their ids. One that commits late is not waited for: it gets
its place in the next batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError
from e2ereset.models import AuditSealer, table
from e2ereset.sql import Inserts, PerDialect, Transactions, run

from .heads import BEYOND, HEAD, NEWEST, is_marked, is_signed, make_head, make_mark, tree_of
from .rows import AUDIT, COLUMNS, entry_bytes, lenient
from .tree import Tree, leaf_hash

BATCH = 1000
ONLY_ROW = 1

SEALER = table(AuditSealer)
WAITING = select(AUDIT.c.id).where(AUDIT.c.position.is_(None)).order_by(AUDIT.c.id)
ANY_WAITING = WAITING.limit(1)
_batch = WAITING.limit(bindparam("batch")).subquery()
_places = select(
    _batch.c.id,
    bindparam("size", type_=BigInteger) + func.row_number().over(order_by=_batch.c.id) - 1,
).subquery()
PLACE = (
    update(AUDIT)
    .values(position=_places.c[1])
    .where(AUDIT.c.id == _places.c.id)
    .returning(*COLUMNS)
)
ADD_HEAD = insert(HEAD)
SET_MARK = update(SEALER).where(SEALER.c.id == ONLY_ROW).values(mark=bindparam("new_mark"))


@PerDialect
def TAKE_TURN(insert: Inserts) -> Any:
    """Lock the sealer's row, making it where it is missing; returns its mark."""
    added = insert(SEALER).values(id=ONLY_ROW, sealed_at=bindparam("now"), mark="")
    return added.on_conflict_do_update(
        index_elements=[SEALER.c.id], set_={"sealed_at": added.excluded.sealed_at}
    ).returning(SEALER.c.mark)


class AuditBroken(E2EResetError):
    """The end of the audit log is not as a sealer left it, so nothing is sealed on top of it."""

    def __init__(self) -> None:
        super().__init__(
            "The audit log was changed at its last head, or E2ERESET_SECRET_KEYS lost the key of"
            " that head: no row is sealed until this is mended. `e2ereset audit verify` says more."
        )


class Sealer:
    """Seals what was written. Any number may run at once: they take turns, batch by batch."""

    def __init__(
        self,
        transactions: Transactions,
        keys: KeyRing,
        *,
        clock: Callable[[], float],
        batch: int = BATCH,
    ) -> None:
        self._transactions = transactions
        self._keys = keys
        self._clock = clock
        self._batch = batch

    def seal(self) -> int:
        """Give every committed row its place in the tree; the number of rows that this call placed.

        Costs one indexed SELECT when there is nothing to do. Raises AuditBroken when the newest
        head is not signed with one of our keys, or rows stand behind it already.
        """
        sealed = 0
        while placed := self._is_any_waiting() and self._seal_batch():
            sealed += placed
        return sealed

    def _is_any_waiting(self) -> bool:
        with self._transactions.read() as session:
            return session.execute(ANY_WAITING).first() is not None

    def _seal_batch(self) -> int:
        now = int(self._clock())
        with self._transactions.begin() as session, lenient(session):
            mark = TAKE_TURN(session, {"now": now}).scalar_one()
            tree, newest = self._load_end(session)
            placed = run(session, PLACE, {"size": tree.size, "batch": self._batch}).all()
            if placed:
                for row in sorted(placed, key=lambda row: row.position):
                    tree.append(leaf_hash(entry_bytes(row)))
                head = make_head(self._keys, tree, now)
                session.execute(ADD_HEAD, head)
                # A wrong mark is left as it is: it is the evidence that a head was taken away.
                if is_marked(self._keys, mark, newest):
                    session.execute(SET_MARK, {"new_mark": make_mark(self._keys, head["digest"])})
        return len(placed)

    def _load_end(self, session: Session) -> tuple[Tree, str | None]:
        """The tree to append to, and the digest of its head; None for a log without heads."""
        head = session.execute(NEWEST).first()
        rows_beyond, _ = session.execute(BEYOND).one()
        if rows_beyond or (head is not None and not is_signed(self._keys, head)):
            raise AuditBroken
        return (Tree(), None) if head is None else (tree_of(head), head.digest)
