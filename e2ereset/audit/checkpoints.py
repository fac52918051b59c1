"""The file of checkpoints: a signed head is added to it after new rows."""

import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from e2ereset.crypto import KeyRing
from e2ereset.errors import E2EResetError
from e2ereset.files import private
from e2ereset.store.transactions import Transactions

from .outsiders import make_checkpoint

EVERY = 60  # seconds at least from one checkpoint in the file to the next
TAIL_BYTES = 4096
SIZE = re.compile(r"^(\d+)\n\S+\n\n\u2014 ", re.MULTILINE)

log = logging.getLogger(__name__)


def append_note(path: Path, note: str) -> None:
    """Put the note behind the others in the file. Raises OSError."""
    with open(path, "a", encoding="utf-8", newline="\n", opener=private) as file:
        file.write(f"\n\n{note}" if file.tell() else note)


@dataclass
class CheckpointFile:
    """The file to which a checkpoint is added after new heads, once a minute at most.

    Several processes may share it.
    """

    path: str
    transactions: Transactions
    keyring: KeyRing
    _: KW_ONLY
    origin: str
    clock: Callable[[], float]
    _failed_at: float = float("-inf")

    def publish(self) -> None:
        """Add the newest head, if it is due and new. What goes wrong is logged, and no more."""
        now = self.clock()
        if 0 <= now - self._failed_at < EVERY:
            return
        try:
            self._publish(Path(self.path), now)
        except (OSError, E2EResetError) as fault:
            self._failed_at = now
            log.error("No checkpoint was added to E2ERESET_AUDIT_CHECKPOINTS: %s", fault)

    def _publish(self, path: Path, now: float) -> None:
        # The file's time is set by our clock: all processes see it.
        if path.exists() and 0 <= now - path.stat().st_mtime < EVERY:
            return
        with self.transactions.read() as session:
            note = make_checkpoint(session, self.keyring, self.origin)
        size, written = int(note.split("\n")[1]), _last_size(path)
        if size < written:
            raise E2EResetError(
                f"The log has {size} rows, the last checkpoint in the file has {written}. Was an"
                " older copy put back? `e2ereset audit verify --checkpoint FILE` says more."
            )
        if size > written:
            append_note(path, note)
            os.utime(path, (now, now))
            log.info("Checkpoint of the audit log: %s", json.dumps(note, ensure_ascii=False))


def _last_size(path: Path) -> int:
    """The size in the last checkpoint of the file; 0 when it has none."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        sizes = SIZE.findall(file.read().decode("utf-8", "replace"))
    return int(sizes[-1]) if sizes else 0
