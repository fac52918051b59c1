"""Whether people can read encrypted rooms again, and whether somebody can help."""

from dataclasses import dataclass
from typing import Any

from .records import iso

DAY = 86400
RESTORED, WAITS, DEAD = "restored", "waiting", "dead"
SEEN_STEPS = (2, 7, 31)
"""Days. Who has the key of a room is told to be seen so lately, and no more exactly."""


def seen_within(seen_at: int | None, now: int) -> int | None:
    """Within how many of the last days (2, 7 or 31) that was; None: longer ago, or not known.

    Both times are in epoch seconds.
    """
    days = (steps for steps in SEEN_STEPS if seen_at is not None and seen_at >= now - steps * DAY)
    return next(days, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomState:
    """An encrypted room of somebody. `held`: they have its key, so they can read it.

    `holders` others have the key, and can sign in; one of them was last seen at `seen_at`. `since`
    is when the wait for the key began. `keyed`: it had a key at all, which the first client makes.
    `offered`: the key was suggested to this person, whose client takes it as soon as it is open.
    Times are in epoch seconds; None: not known.
    """

    id: str
    name: str
    held: bool
    holders: int = 0
    seen_at: int | None = None
    since: int | None = None
    keyed: bool = True
    offered: bool = False

    @property
    def state(self) -> str:
        """`restored`: readable. `waiting`: others can give the key. `dead`: nobody has it."""
        if self.held:
            return RESTORED
        return WAITS if self.holders or self.offered or not self.keyed else DEAD

    @property
    def can_ask(self) -> bool:
        """Whether it helps to ask others for the key."""
        return bool(self.holders) and not (self.held or self.offered)

    def told(self, now: int) -> dict[str, Any]:
        """The room as on the wire."""
        told = {"_id": self.id, "name": self.name, "state": self.state, "holders": self.holders}
        seen = seen_within(self.seen_at, now)
        if self.state == WAITS and seen:
            told["seenWithinDays"] = seen
        if not self.held and self.since is not None:
            told["waitingSince"] = iso(self.since)
        return told
