"""The check of the whole log: every row's digest, the order of rows, every head, the very end.

It reads rows and heads in pages, so that it needs little memory and holds up no writer. It gives
no false alarm while rows are written, sealed and purged beside it: what was sealed after it began
is left to the next time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import merge
from operator import itemgetter
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing

from . import heads, rows
from .heads import HEAD, Start, is_signed
from .notes import Checkpoint, NoteError, PublicKey, open_checkpoint, public_keys, split_notes
from .rows import AUDIT, HIGHEST, LOWEST, is_genuine, leaf_of, paged, rows_from

# Below HIGHEST, because SQLite sorts a text, slipped in as a size, above every number.
LAST = heads.LARGEST.where(HEAD.c.size < HIGHEST)
UNSEALED = select(*rows.COLUMNS).where(AUDIT.c.position.is_(None))
TWICE = select(AUDIT.c.uid, func.count()).group_by(AUDIT.c.uid).having(func.count() > 1)

# The sentences of flaws: {0} is where, {1} is what else there is to say.
ROW = "The row at position"
REMOVED = "Rows were removed: nothing stands at the positions from {0} to {1}."
SLIPPED_IN = "A row was slipped in at position {0}, where there is no place for it."
COPIED = "The row {0} stands in the log {1} times."
BEHIND = (
    "From position {0} on, {1} rows stand behind the last head: slipped in, or a head was removed."
)
ANCHOR_LOST = "The head of size {0}, at which the last purge ended, is gone or was changed."
MISMATCH = "The first {0} rows are not those that the head of this size was signed for."
END_CUT = (
    "The head of size {0} is not the one that was signed last: the end of the log was cut off or"
    " rewritten, the record of a purge was taken away, or E2ERESET_SECRET_KEYS lost a key."
)
WAS_MENDED = "The end of the log was broken, and mended by the row at position {0} ({1})."
FORGED = "Checkpoint {0} of the file does not count. {1}"
NO_CHECKPOINT = "The file has no checkpoint in it."
PURGED = (
    "{1} checkpoints are older than the last purge, of {0} rows: they cannot be checked any more."
)
OTHER_TREE = (
    "The log does not hold the {0} rows of this checkpoint: rows were changed, removed or moved, or"
    " an older copy was put back."
)


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that a check of the log found, as a sentence by `str()`.

    `kind` is `row-changed`, `row-removed`, `row-slipped-in`, `tail-cut`, `head-changed`,
    `root-mismatch`, `purge-changed`, `mended`, `checkpoint-forged`, `checkpoint-mismatch` or
    `checkpoint-purged`; `where` the position or uid of a row, the size of a head or a checkpoint,
    or a checkpoint's number in its file. It is `wrong`, but for `mended` and `checkpoint-purged`,
    which only say what nobody can tell any more.
    """

    kind: str
    where: int | str
    sentence: str

    @property
    def wrong(self) -> bool:
        """Whether it speaks against the log."""
        return self.kind not in ("mended", "checkpoint-purged")

    def __str__(self) -> str:
        return self.sentence


Flaws = Iterator[Flaw]


def verify(session: Session, keyring: KeyRing) -> list[Flaw]:
    """All that is wrong with the log; none of the flaws is `wrong` when it is whole.

    After a purge it begins at the head that the purge kept. Rows that no sealer has placed yet
    are checked by their own digests only. Whatever the tables hold, it is found and not stumbled
    over.
    """
    return _settled(session, keyring, lambda start: _flaws(session, keyring, start))


def verify_checkpoints(
    session: Session, keyring: KeyRing, text: str, public: Sequence[PublicKey] = ()
) -> list[Flaw]:
    """What speaks against the log still holding the tree of every checkpoint in the text.

    Signatures are checked with the `public` keys; where none is given, with our own. Checkpoints
    from before the last purge cannot be checked, which is a flaw that is not `wrong`.
    """
    ours = cache(lambda origin: public_keys(keyring, origin))
    flaws, claims = [], []
    for number, note in enumerate(notes := split_notes(text), 1):
        try:
            claims.append(open_checkpoint(note, public or ours(note.partition("\n")[0])))
        except NoteError as error:
            flaws.append(_flaw("checkpoint-forged", number, FORGED, error))
    if not notes:
        flaws.append(_flaw("checkpoint-forged", 0, NO_CHECKPOINT))
    claims.sort(key=lambda claim: claim.size)
    return flaws + _settled(session, keyring, lambda start: _compared(session, claims, start))


def _settled(
    session: Session, keyring: KeyRing, check: Callable[[Start], Iterable[Flaw]]
) -> list[Flaw]:
    """What the check finds from the start of the log on, with no purge meanwhile."""
    with rows.lenient(session):
        start = heads.find_start(session, keyring)
        while True:
            flaws = list(check(start))
            before, start = start, heads.find_start(session, keyring)
            if start.size == before.size:
                return flaws


def _compared(session: Session, claims: Sequence[Checkpoint], start: Start) -> Flaws:
    if purged := sum(claim.size < start.size for claim in claims):
        yield _flaw("checkpoint-purged", start.size, PURGED, purged)
    tree, sealed = start.tree.copy(), rows_from(session, start.size)
    for claim in claims[purged:]:
        while tree.size < claim.size and (row := next(sealed, None)) and row.position == tree.size:
            tree.append(leaf_of(row))
        if (tree.size, tree.root()) != (claim.size, claim.root):
            yield _flaw("checkpoint-mismatch", claim.size, OTHER_TREE)


def _flaws(session: Session, keyring: KeyRing, start: Start) -> Flaws:
    end = session.execute(LAST).scalar_one()
    for purge in session.execute(heads.PURGES).all():
        if not is_signed(keyring, heads.PURGE, purge):
            yield _changed("purge-changed", purge.size, "The record of a purge up to row")
    # A purge that was killed leaves rows, which nothing but their own digests vouches for.
    for row in rows_from(session, LOWEST + 1, start.size) if start.size else ():
        if not is_genuine(keyring, row):
            yield _changed("row-changed", row.position, ROW)
    yield from _Reading(keyring, start, end).flaws(session)
    behind, first = session.execute(heads.BEYOND).one()
    if behind:
        yield _flaw("row-slipped-in", first, BEHIND, behind)
    for head in session.execute(select(HEAD).where(HEAD.c.size > end).limit(rows.PAGE)).all():
        if not is_signed(keyring, HEAD, head):  # a signed one was added since we began
            yield _changed("head-changed", head.size, "The head of size")
    for row in paged(session, UNSEALED, (AUDIT.c.id,), (LOWEST,)):
        if not is_genuine(keyring, row):
            yield _changed("row-changed", row.uid, "The unsealed row")
    for uid, count in session.execute(TWICE):
        yield _flaw("row-slipped-in", uid, COPIED, count)
    if not heads.is_marked(session, keyring):
        yield _flaw("tail-cut", session.execute(LAST).scalar_one(), END_CUT)


class _Reading:
    """Reads rows and heads in the order of the tree, up to the head of size `end`."""

    def __init__(self, keyring: KeyRing, start: Start, end: int) -> None:
        self._keyring = keyring
        self._start = start
        self._end = end
        self._tree = start.tree.copy()
        self._next = start.size
        self._unknown: list[int] = []

    def flaws(self, session: Session) -> Flaws:
        """What is wrong with sealed rows and their heads."""
        if self._tree.size != self._start.size:
            yield _flaw("head-changed", self._start.size, ANCHOR_LOST)
        first = self._start.size or LOWEST + 1
        # Of equals, merge takes the first: the head of size n goes before the row at position n.
        steps = merge(
            ((head.size, self._head, head) for head in heads.heads_from(session, first, self._end)),
            ((row.position, self._row, row) for row in rows_from(session, first, self._end)),
            key=itemgetter(0),
        )
        for _, judge, item in steps:
            yield from judge(item)
        yield from self._not_vouched_for()
        yield from self._missing("tail-cut", self._end)

    def _row(self, row: Row[Any]) -> Flaws:
        if row.position < self._next or not isinstance(row.position, int):
            yield _flaw("row-slipped-in", row.position, SLIPPED_IN)
            return
        yield from self._missing("row-removed", row.position)
        if not is_genuine(self._keyring, row):
            self._unknown.append(row.position)
            if str(row.digest).partition(":")[0] in self._keyring.ids:
                yield _changed("row-changed", self._unknown.pop(), ROW)
        if row.action == rows.MENDED:
            yield _flaw("mended", row.position, WAS_MENDED, _plain(row.outcome))
        self._tree.append(leaf_of(row))
        self._next = row.position + 1

    def _head(self, head: Row[Any]) -> Flaws:
        if not is_signed(self._keyring, HEAD, head):
            yield _changed("head-changed", head.size, "The head of size")
            return
        # Trees of two sizes cannot agree: the rows that lack were reported already.
        is_same_size = self._tree.size == head.size
        is_same = is_same_size and self._tree.root().hex() == head.root
        if is_same:
            self._unknown = [position for position in self._unknown if position < head.since]
        yield from self._not_vouched_for()
        if is_same_size and not is_same:
            yield _flaw("root-mismatch", head.size, MISMATCH)
        # A signed head stands for its tree: each later head is judged by the rows since.
        self._tree = heads.tree_of(head)

    def _not_vouched_for(self) -> Flaws:
        """Rows whose secret keys are gone, where no head vouches for them."""
        for position in self._unknown:
            yield _changed("row-changed", position, ROW)
        self._unknown.clear()

    def _missing(self, kind: str, stop: int) -> Flaws:
        """Positions before `stop` at which no row stands."""
        if self._next < stop:
            yield _flaw(kind, self._next, REMOVED, stop - 1)


def _changed(kind: str, where: Any, subject: str) -> Flaw:
    """A digest is not ours."""
    lost = "or E2ERESET_SECRET_KEYS lost its key: its digest does not match."
    return _flaw(kind, where, f"{subject} {{0}} was changed or forged, {lost}")


def _flaw(kind: str, where: Any, sentence: str, *more: Any) -> Flaw:
    where = _plain(where)
    return Flaw(kind, where, sentence.format(where, *more))


def _plain(value: Any) -> int | str:
    """A value as a sentence may quote it, whatever was slipped in."""
    return value if isinstance(value, int) else rows.clean(str(value))
