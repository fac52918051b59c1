"""What became of the rows of an import."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from e2ereset.cli.rows import words_of
from e2ereset.server.people.acts import Acting
from e2ereset.store.transactions import Begin

STORED, PRESENT, UNUSED = "stored", "present", "unused"


class Took(NamedTuple):
    """What became of one row: stored, left as it is here, or of no use to this server.

    `without` says what of a stored row was left out, and why.
    """

    kind: str
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """An import under way: who does it, how many seconds a sign-in lives, what begins each row."""

    acting: Acting
    sign_in_seconds: int
    begin: Begin


Take = Callable[[Arriving, Mapping[str, Any]], Took]
"""Stores one row in a transaction of its own. Raises E2EResetError and ValidationError for one that
cannot be stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many rows of each collection were stored, present or unused; and what was left out.

    `left_out` has each row that was not stored, `partly` each that was not stored in whole, both
    with `collection`, `row` (its number in the file), `id` and `why`.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    left_out: list[dict[str, Any]] = field(default_factory=list)
    partly: list[dict[str, Any]] = field(default_factory=list)

    def add(self, collection: str, number: int, given: Any, took: Took) -> None:
        """Note what became of this row."""
        self.counts[collection][took.kind] += 1
        for why in took.without:
            self.partly.append(_entry(collection, number, given, why))

    def leave_out(self, collection: str, number: int, given: Any, fault: Exception) -> None:
        """Note why this row was not stored, without its values, which may be secret."""
        self.left_out.append(_entry(collection, number, given, words_of(fault)))


def _entry(collection: str, number: int, given: Any, why: str) -> dict[str, Any]:
    known = given if isinstance(given, Mapping) else {}
    name = known.get("username") or known.get("_id")
    shown = name if isinstance(name, str) else ""
    return {"collection": collection, "row": number, "id": shown, "why": why}
