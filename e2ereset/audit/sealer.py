"""The sealer: puts the rows written since into the tree, and signs its new head.

Rows get their places in the order of their ids. One that commits late is not waited for: it gets
its place in the next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update

from e2ereset.crypto import KeyRing
from e2ereset.store.transactions import Inserts, PerDialect, Transactions, run

from .heads import END, HEAD, SEALER, find_newest, is_marked, make_head, make_mark, tree_of
from .rows import AUDIT, COLUMNS, big, entry_bytes, is_genuine, lenient
from .tree import Tree, leaf_hash

BATCH = 1000
ONLY_ROW = 1

WAITING = select(AUDIT.c.id).where(AUDIT.c.position.is_(None)).order_by(AUDIT.c.id)
ANY_WAITING = WAITING.limit(1)
_batch = WAITING.limit(bindparam("batch")).subquery()
_places = select(
    _batch.c.id,
    big("size") + func.row_number().over(order_by=_batch.c.id) - 1,
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
def LOCK_SEALER(insert: Inserts) -> Any:
    """Lock the sealer's row, making it where it is missing."""
    added = insert(SEALER).values(id=ONLY_ROW, sealed_at=bindparam("now"), mark="")
    return added.on_conflict_do_update(
        index_elements=[SEALER.c.id], set_={"sealed_at": added.excluded.sealed_at}
    )


class Sealer:
    """Seals what was written. Any number may run at once: they take turns, batch by batch.

    `publish` is called after each look at what waits.
    """

    def __init__(
        self,
        transactions: Transactions,
        keys: KeyRing,
        *,
        clock: Callable[[], float],
        batch: int = BATCH,
        publish: Callable[[], object] | None = None,
    ) -> None:
        self._transactions = transactions
        self._keys = keys
        self._clock = clock
        self._batch = batch
        self._publish = publish

    def seal(self) -> int:
        """Give every committed row its place in the tree; the number of rows that this call placed.

        Costs one indexed SELECT when there is nothing to do. Raises AuditBroken when the newest
        head is not signed with one of our keys, or rows stand behind it already.
        """
        sealed = 0
        while placed := self._is_any_waiting() and self._seal_batch():
            sealed += placed
        if self._publish:
            self._publish()
        return sealed

    def _is_any_waiting(self) -> bool:
        with self._transactions.read() as session:
            return session.execute(ANY_WAITING).first() is not None

    def _seal_batch(self) -> int:
        now = int(self._clock())
        with self._transactions.begin() as session, lenient(session):
            LOCK_SEALER(session, {"now": now})
            newest = find_newest(session, self._keys)
            end = session.execute(END).one()
            tree = tree_of(newest) if newest else Tree()
            placed = run(session, PLACE, {"size": tree.size, "batch": self._batch}).all()
            if placed:
                head = self._add_rows(tree, placed, now)
                session.execute(ADD_HEAD, head)
                # A wrong mark is left as it is: it is the evidence that a head was taken away.
                if is_marked(self._keys, end):
                    mark = make_mark(self._keys, head["digest"], end.purge)
                    session.execute(SET_MARK, {"new_mark": mark})
        return len(placed)

    def _add_rows(self, tree: Tree, rows: Sequence[Row[Any]], now: int) -> dict[str, Any]:
        """The head of the tree with these rows behind it."""
        size = tree.size
        for row in sorted(rows, key=lambda row: row.position):
            tree.append(leaf_hash(entry_bytes(row)))
        # One forged row among them, and the head vouches for none of them.
        since = size if all(is_genuine(self._keys, row) for row in rows) else tree.size
        return make_head(self._keys, tree, since=since, at=now)
