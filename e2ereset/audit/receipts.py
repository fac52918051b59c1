"""Receipts: what a person can keep of one row, and check without us."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError

from .export import HEAD_BEFORE
from .heads import HEAD, find_start, is_signed, tree_of
from .notes import public_keys, sign_head
from .pages import rows_from
from .rows import AUDIT, big, entry_bytes, fields_of, lenient
from .trail import UID_BYTES
from .tree import Tree, inclusion_proof, leaf_hash

POSITION_OF = select(AUDIT.c.position).where(AUDIT.c.uid == bindparam("uid"))
HEAD_OVER = select(HEAD).where(HEAD.c.size > big("position")).order_by(HEAD.c.size).limit(1)


class NoReceipt(E2EResetError):
    """There is no receipt for the row; the text says why."""


def receipt(session: Session, keys: KeyRing, origin: str, place: str | int) -> dict[str, Any]:
    """The receipt of a row, by its uid or its position, as an object for JSON.

    It proves the row against the first head over it, so that it costs a batch of rows. Raises
    NoReceipt when there is no such row, or none that is sealed and whole.
    """
    with lenient(session):
        position = _position(session, place)
        head = session.execute(HEAD_OVER, {"position": position}).first()
        if head is None or not is_signed(keys, HEAD, head):
            raise NoReceipt(f"No signed head is over the row {place}. Seal it, or verify the log.")
        before = _before(session, keys, position)
        rows = list(rows_from(session, before.size, head.size))
    leaves = [leaf_hash(entry_bytes(row)) for row in rows]
    _check(before, leaves, head)
    return {
        "entry": fields_of(rows[position - before.size]),
        "position": position,
        "size": head.size,
        "proof": [node.hex() for node in inclusion_proof(before, leaves, position)],
        "checkpoint": sign_head(keys, origin, head),
        "publicKey": str(public_keys(keys, origin)[0]),
    }


def _position(session: Session, place: str | int) -> int:
    if isinstance(place, str) and len(place) == 2 * UID_BYTES:
        found = session.execute(POSITION_OF, {"uid": place}).first()
        if found is None:
            raise NoReceipt(f"The log has no row {place}.")
        if found.position is None:
            raise NoReceipt(f"The row {place} is not sealed yet. Try again in a second.")
        return int(found.position)
    if not str(place).isdecimal():
        raise NoReceipt(f"{place} is neither the uid nor the position of a row.")
    return int(place)


def _before(session: Session, keys: KeyRing, position: int) -> Tree:
    """The tree of the signed head before the row, which a purge may have kept."""
    start = find_start(session, keys)
    if position < start.size:
        raise NoReceipt(f"The row {position} was purged.")
    head = session.execute(HEAD_BEFORE, {"position": position}).first()
    return tree_of(head) if head and is_signed(keys, HEAD, head) else start.tree


def _check(before: Tree, leaves: list[bytes], head: Row[Any]) -> None:
    tree = before.copy()
    for leaf in leaves:
        tree.append(leaf)
    if (tree.size, tree.root().hex()) != (head.size, head.root):
        raise NoReceipt("The rows around it were changed. `e2ereset audit verify` says more.")
