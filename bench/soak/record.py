"""What was asked and answered, and what was not as it must be."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock

from .outages import Outages
from .people import Person


@dataclass
class Record:
    """The whole run, as its clients know it."""

    people: list[Person]
    outages: Outages = field(default_factory=Outages)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    settled: Counter[str] = field(default_factory=Counter)
    bursts: list[int] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def answered(self, what: str, kind: str, seconds: float) -> None:
        """Count one answer to a request of this name."""
        with self._lock:
            self.answers[what, kind] += 1
            self.seconds.append(seconds)

    def settle(self, how: str) -> None:
        """Count one request without an answer, of which is known now what it did."""
        with self._lock:
            self.settled[how] += 1

    def found(self, finding: str) -> None:
        """Keep something that is wrong."""
        with self._lock:
            self.findings.append(finding)
