"""When something was gone on purpose, and which answers that excuses."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

SLACK = 8.0
"""Seconds after an outage in which its answers may still come: nginx leaves a dead server alone
for five, connections that broke are made anew."""
BROKEN = "broken"
BUSY = "503 busy"
"""As many passwords are hashed as may be at once: nothing was done, and no outage is behind it."""
EXCUSES = {
    "database": {"503", "502", "504", BROKEN},
    "worker": {"503", "502", BROKEN},
    "redis": {"503"},
    "mail": set[str](),
    "upgrade": set[str](),
}


@dataclass(slots=True)
class Outage:
    """A part that was gone from `start` to `end`, in epoch seconds; without end it still is."""

    part: str
    words: str
    start: float
    end: float | None = None

    def covers(self, start: float, end: float, slack: float = SLACK) -> bool:
        """Whether it lay within this time, or shortly before."""
        return self.start <= end and (self.end is None or start <= self.end + slack)


class Outages:
    """All outages so far."""

    def __init__(self) -> None:
        self.all: list[Outage] = []
        self._lock = Lock()

    @contextmanager
    def declare(self, part: str, words: str) -> Iterator[None]:
        """The block is an outage of this part."""
        outage = Outage(part, words, time.time())
        with self._lock:
            self.all.append(outage)
        try:
            yield
        finally:
            outage.end = time.time()

    def excuse(self, kind: str, start: float, end: float) -> bool:
        """Whether this answer may come within this time."""
        return any(kind in EXCUSES[o.part] and o.covers(start, end) for o in list(self.all))

    def during(self, parts: set[str], start: float, end: float, slack: float = SLACK) -> bool:
        """Whether one of these parts was gone within this time, or shortly before."""
        return any(o.part in parts and o.covers(start, end, slack) for o in list(self.all))
