"""The sealer: puts the rows written since into the tree, and signs its new head.

Rows get their places in the order of their ids. One that commits late is not waited for: it gets
its place in the next batch.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, func, insert, select, update

from e2ereset.crypto import KeyRing
from e2ereset.store.transactions import Transactions, run

from .heads import HEAD, find_newest, locked_end, sign, tree_of
from .rows import AUDIT, COLUMNS, is_genuine, leaf_of
from .tree import Tree

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


@dataclass(frozen=True)
class Sealer:
    """Seals what was written. Any number may run at once: they take turns, batch by batch.

    `publish` is called after each look at what waits.
    """

    transactions: Transactions
    keyring: KeyRing
    _: KW_ONLY
    clock: Callable[[], float]
    batch: int = 1000
    publish: Callable[[], object] | None = None

    def seal(self) -> int:
        """Give every committed row its place in the tree; the number of rows that this call placed.

        Costs one indexed SELECT when there is nothing to do. Raises AuditBroken when the newest
        head is not signed with one of our keyring, or rows stand behind it already.
        """
        sealed = 0
        while placed := self._is_any_waiting() and self._seal_batch():
            sealed += placed
        if self.publish:
            self.publish()
        return sealed

    def _is_any_waiting(self) -> bool:
        with self.transactions.read() as session:
            return session.execute(ANY_WAITING).first() is not None

    def _seal_batch(self) -> int:
        now = int(self.clock())
        with self.transactions.begin() as session, locked_end(session, self.keyring, now):
            newest = find_newest(session, self.keyring)
            tree = tree_of(newest) if newest else Tree()
            rows = run(session, PLACE, {"size": tree.size, "batch": self.batch}).all()
            if rows:
                session.execute(ADD_HEAD, self._make_head(tree, rows, now))
        return len(rows)

    def _make_head(self, tree: Tree, rows: Sequence[Row[Any]], now: int) -> dict[str, Any]:
        """The signed head of the tree with these rows behind it."""
        size = tree.size
        tree.extend(map(leaf_of, sorted(rows, key=lambda row: row.position)))
        head = {
            "size": tree.size,
            "root": tree.root().hex(),
            "frontier": json.dumps([node.hex() for node in tree.frontier]),
            # One forged row among them, and the head vouches for none of them.
            "since": size if all(is_genuine(self.keyring, row) for row in rows) else tree.size,
            "at": now,
        }
        return sign(self.keyring, HEAD, head)
