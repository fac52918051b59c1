"""What outsiders check without us: checkpoints, the export, receipts of single rows."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError

from .heads import HEAD, AuditBroken, Start, find_end, find_start, find_start_before, is_signed
from .notes import public_keys, sign_head
from .rows import AUDIT, HIGHEST, fields_of, leaf_of, lenient, rows_from
from .trail import UID_BYTES
from .tree import inclusion_proof


class NoReceipt(E2EResetError):
    """There is no receipt for the row; the text says why."""


def make_checkpoint(session: Session, keyring: KeyRing, origin: str) -> str:
    """The newest head as a signed checkpoint. Raises AuditBroken."""
    with lenient(session):
        return sign_head(keyring, origin, find_end(session, keyring))


def export(
    session: Session, keyring: KeyRing, origin: str, *, since: int | None = None
) -> Iterator[dict[str, Any]]:
    """The log as objects for JSON: where it starts, its sealed rows in order, a checkpoint.

    `since`, in epoch seconds, leaves out what stands before the first row of that time. Of a
    broken log all rows are given, and then AuditBroken is raised in place of the checkpoint.
    """
    with lenient(session):
        head, fault = None, None
        try:
            head = find_end(session, keyring)
        except AuditBroken as broken:
            fault = broken
        end = HIGHEST if fault else head.size if head else 0
        start = _start(session, keyring, since, end)
        yield {"start": start.size, "frontier": [node.hex() for node in start.tree.frontier]}
        for row in rows_from(session, start.size, end):
            yield {"position": row.position, **fields_of(row)}
        if fault:
            raise fault
        if find_start(session, keyring).size > start.size:
            raise E2EResetError("Rows were purged meanwhile. Export once more.")
        yield {"checkpoint": sign_head(keyring, origin, head)}


def _start(session: Session, keyring: KeyRing, since: int | None, end: int) -> Start:
    if since is None:
        return find_start(session, keyring)
    first = select(func.coalesce(func.min(AUDIT.c.position), end)).where(AUDIT.c.at >= since)
    position = session.execute(first).scalar_one()
    start = find_start_before(session, keyring, position)
    start.tree.extend(map(leaf_of, rows_from(session, start.size, position)))
    return Start(max(start.size, position), start.tree)


def receipt(session: Session, keyring: KeyRing, origin: str, place: str | int) -> dict[str, Any]:
    """The receipt of a row, by its uid or its position, as an object for JSON.

    It proves the row against the first head over it, so that it costs a batch of rows. Raises
    NoReceipt when there is no such row, or none that is sealed and whole.
    """
    with lenient(session):
        position = _position(session, place)
        over = select(HEAD).where(HEAD.c.size > position).order_by(HEAD.c.size).limit(1)
        head = session.execute(over).first()
        if head is None or not is_signed(keyring, HEAD, head):
            raise NoReceipt(f"No signed head is over the row {place}. Seal it, or verify the log.")
        start = find_start_before(session, keyring, position)
        if position < start.size:
            raise NoReceipt(f"The row {position} was purged.")
        rows = list(rows_from(session, start.size, head.size))
    before, leaves = start.tree.copy(), [leaf_of(row) for row in rows]
    start.tree.extend(leaves)
    if (start.tree.size, start.tree.root().hex()) != (head.size, head.root):
        raise NoReceipt("The rows around it were changed. `e2ereset audit verify` says more.")
    return {
        "entry": fields_of(rows[position - start.size]),
        "position": position,
        "size": head.size,
        "proof": [node.hex() for node in inclusion_proof(before, leaves, position)],
        "checkpoint": sign_head(keyring, origin, head),
        "publicKey": str(public_keys(keyring, origin)[0]),
    }


def _position(session: Session, place: str | int) -> int:
    if isinstance(place, str) and len(place) == 2 * UID_BYTES:
        found = session.execute(select(AUDIT.c.position).where(AUDIT.c.uid == place)).first()
        if found is None:
            raise NoReceipt(f"The log has no row {place}.")
        if found.position is None:
            raise NoReceipt(f"The row {place} is not sealed yet. Try again in a second.")
        return int(found.position)
    if not str(place).isdecimal():
        raise NoReceipt(f"{place} is neither the uid nor the position of a row.")
    return int(place)
