"""Checkpoints: signed heads for outsiders, made, written to a file, and held against the log."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError
from e2ereset.files import private
from e2ereset.store.transactions import Transactions

from .findings import Finding
from .heads import Start, find_end
from .notes import (
    Checkpoint,
    NoteError,
    PublicKey,
    open_checkpoint,
    public_keys,
    sign_head,
    split_notes,
)
from .pages import rows_from
from .rows import entry_bytes, lenient
from .tree import leaf_hash
from .verify import settled

EVERY = 60  # seconds at least from one checkpoint in the file to the next
TAIL_BYTES = 4096
SIZE = re.compile(r"^(\d+)\n\S+\n\n\u2014 ", re.MULTILINE)

log = logging.getLogger(__name__)


def make_checkpoint(session: Session, keys: KeyRing, origin: str) -> str:
    """The newest head as a signed checkpoint. Raises AuditBroken."""
    with lenient(session):
        return sign_head(keys, origin, find_end(session, keys))


def append_note(path: Path, note: str) -> None:
    """Put the note behind the others in the file. Raises OSError."""
    with open(path, "a", encoding="utf-8", newline="\n", opener=private) as file:
        file.write(f"\n\n{note}" if file.tell() else note)


class CheckpointFile:
    """The file to which a checkpoint is added after new heads, once a minute at most.

    Several processes may share it.
    """

    def __init__(
        self,
        path: str,
        transactions: Transactions,
        keys: KeyRing,
        *,
        origin: str,
        clock: Callable[[], float],
    ) -> None:
        self._path = Path(path)
        self._transactions = transactions
        self._keys = keys
        self._origin = origin
        self._clock = clock
        self._failed_at = float("-inf")

    def publish(self) -> None:
        """Add the newest head, if it is due and new. What goes wrong is logged, and no more."""
        now = self._clock()
        if 0 <= now - self._failed_at < EVERY:
            return
        try:
            self._publish(now)
        except (OSError, E2EResetError) as fault:
            self._failed_at = now
            log.error("No checkpoint was added to E2ERESET_AUDIT_CHECKPOINTS: %s", fault)

    def _publish(self, now: float) -> None:
        # The file's time is set by our clock: all processes see it.
        if self._path.exists() and 0 <= now - self._path.stat().st_mtime < EVERY:
            return
        with self._transactions.read() as session:
            note = make_checkpoint(session, self._keys, self._origin)
        size, written = int(note.split("\n")[1]), self._last_size()
        if size < written:
            raise E2EResetError(
                f"The log has {size} rows, the last checkpoint in the file has {written}. Was an"
                " older copy put back? `e2ereset audit verify --checkpoint FILE` says more."
            )
        if size > written:
            append_note(self._path, note)
            os.utime(self._path, (now, now))
            log.info("Checkpoint of the audit log: %s", json.dumps(note, ensure_ascii=False))

    def _last_size(self) -> int:
        """The size in the last checkpoint of the file; 0 when it has none."""
        if not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            sizes = SIZE.findall(file.read().decode("utf-8", "replace"))
        return int(sizes[-1]) if sizes else 0


def verify_checkpoints(
    session: Session, keys: KeyRing, text: str, public: Sequence[PublicKey] = ()
) -> list[Finding]:
    """What speaks against the log still holding the tree of every checkpoint in the text.

    Signatures are checked with the `public` keys; where none is given, with our own. Checkpoints
    from before the last purge can not be checked, which is a finding that is not `wrong`.
    """
    ours = cache(lambda origin: public_keys(keys, origin))
    found, claims = [], []
    notes = split_notes(text)
    for number, note in enumerate(notes, 1):
        try:
            claims.append(open_checkpoint(note, public or ours(note.partition("\n")[0])))
        except NoteError as error:
            said = f"Checkpoint {number} of the file does not count. {error}"
            found.append(Finding("checkpoint-forged", number, said))
    if not notes:
        found.append(Finding("checkpoint-forged", 0, "The file has no checkpoint in it."))
    claims.sort(key=lambda claim: claim.size)
    return found + settled(session, keys, lambda start: _compared(session, claims, start))


def _compared(session: Session, claims: Iterable[Checkpoint], start: Start) -> Iterator[Finding]:
    purged = [claim for claim in claims if claim.size < start.size]
    if purged:
        yield _purged(len(purged), start.size)
    tree, rows = start.tree.copy(), rows_from(session, start.size)
    for claim in (claim for claim in claims if claim.size >= start.size):
        while tree.size < claim.size and (row := next(rows, None)) and row.position == tree.size:
            tree.append(leaf_hash(entry_bytes(row)))
        if (tree.size, tree.root()) != (claim.size, claim.root):
            yield _mismatch(claim.size)


def _purged(count: int, size: int) -> Finding:
    said = (
        f"{count} of the checkpoints are of trees smaller than {size}, where the log starts since"
        " its last purge: whether it held them can not be told any more."
    )
    return Finding("checkpoint-purged", size, said, wrong=False)


def _mismatch(size: int) -> Finding:
    said = (
        f"The log does not hold the {size} rows that the checkpoint of this size was signed for:"
        " rows were changed, removed or put in another order, or an older copy was put back."
    )
    return Finding("checkpoint-mismatch", size, said)
