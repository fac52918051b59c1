"""What a check of the log can find, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from .rows import clean


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found, as a sentence by `str()`.

    `kind` is `row-changed`, `row-removed`, `row-slipped-in`, `tail-cut`, `head-changed`,
    `root-mismatch`, `purge-changed`, `mended`, `checkpoint-forged`, `checkpoint-mismatch` or
    `checkpoint-purged`; `where` the position or uid of a row, the size of a head or a checkpoint,
    or a checkpoint's number in its file. It is `wrong`, but for `mended` and `checkpoint-purged`,
    which only say what nobody can tell any more.
    """

    kind: str
    where: int | str
    sentence: str
    wrong: bool = True

    def __str__(self) -> str:
        return self.sentence


def missing(kind: str, first: int, stop: int) -> Finding:
    """No row stands at the positions from `first` on, before `stop`."""
    span = f"Position {first} is" if stop - first == 1 else f"Positions {first} to {stop - 1} are"
    return Finding(kind, first, f"{span} empty: rows were removed.")


def slipped_in(row: Row[Any]) -> Finding:
    """The row stands where none can."""
    where = plain(row.position)
    said = f"A row was slipped in at position {where}, where there is no place for it."
    return Finding("row-slipped-in", where, said)


def row_changed(where: int | str, subject: str) -> Finding:
    """The row's digest is not ours."""
    return Finding("row-changed", where, f"{subject} {_was_changed()}")


def head_changed(head: Row[Any]) -> Finding:
    """The head's digest is not ours."""
    size = plain(head.size)
    return Finding("head-changed", size, f"The head of size {size} {_was_changed()}")


def purge_changed(purge: Row[Any]) -> Finding:
    """The digest of a purge's record is not ours."""
    size = plain(purge.size)
    said = f"The record of a purge of the first {size} rows {_was_changed()}"
    return Finding("purge-changed", size, said)


def root_mismatch(head: Row[Any]) -> Finding:
    """The rows give another root than the signed head's."""
    return Finding(
        "root-mismatch",
        head.size,
        f"The first {head.size} rows are not those that the head of size {head.size} was signed"
        " for: one of them was changed, or their order was.",
    )


def anchor_lost(size: int) -> Finding:
    """The head that a purge kept can not be used."""
    return Finding(
        "head-changed",
        size,
        f"The head of size {size}, from which the log goes on since its last purge, is gone or was"
        " changed.",
    )


def beyond(count: int, first: Any) -> Finding:
    """Rows with a position stand behind the last head."""
    return Finding(
        "row-slipped-in",
        plain(first),
        f"Behind the last head, from position {plain(first)} on, stand rows that it is not signed"
        f" for ({count}): they were slipped in, or a head was removed.",
    )


def twice(uid: Any, count: int) -> Finding:
    """A row was copied."""
    where = plain(uid)
    return Finding("row-slipped-in", where, f"The row {where} stands in the log {count} times.")


def end_cut(size: int) -> Finding:
    """The mark is not that of the newest head and purge."""
    return Finding(
        "tail-cut",
        size,
        f"The last head, of size {size}, is not the one that was signed last: the end of the log"
        " was cut off or rewritten, the record of a purge was taken away, or"
        " E2ERESET_SECRET_KEYS lost its key.",
    )


def mended(row: Row[Any]) -> Finding:
    """The log was broken once, and mended."""
    said = (
        f"The end of the log was broken and mended, says the row at position {row.position}"
        f" ({plain(row.outcome)}): what stood there before is not vouched for."
    )
    return Finding("mended", row.position, said, wrong=False)


def plain(value: Any) -> int | str:
    """A value as a finding may quote it, whatever was slipped in."""
    return value if isinstance(value, int) else clean(str(value))


def _was_changed() -> str:
    return "was changed or forged, or E2ERESET_SECRET_KEYS lost its key: its digest does not match."
