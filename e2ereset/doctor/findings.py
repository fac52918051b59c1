"""What a check finds, and how checks are run so that none can keep the others from running."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from .deployment import Subject


class Level(IntEnum):
    """How bad a finding is; `OK` is what a check without one says."""

    OK = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3


class Part(StrEnum):
    """A part that checks need. Where it is missing, that is one finding, and they are left out."""

    SETTINGS = "settings"
    DATABASE = "database"
    TABLES = "tables"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence on what was seen. `change` is what to write or run; empty when nothing is."""

    level: Level
    area: str
    code: str
    text: str
    change: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Looks at one thing. `passed` is the sentence for when it finds nothing."""

    area: str
    code: str
    passed: str
    look: Callable[[Subject], Iterator[Finding]]
    needs: frozenset[Part] = frozenset()
    shows: Part | None = None
    """The part that is missing when this check finds an error."""

    def run(self, subject: Subject) -> list[Finding]:
        """What it finds: one `OK` where there is nothing, `check-failed` where it raises.

        Of an exception only the name is told: its text may hold an address or a password.
        """
        try:
            found = list(self.look(subject))
        except Exception as error:
            words = f"The check {self.code} ended with {type(error).__name__}."
            return [_failed(self.area, words)]
        ok = Finding(level=Level.OK, area=self.area, code=self.code, text=self.passed)
        return found or [ok]


def examine(subject: Subject, checks: Iterable[Check]) -> list[Finding]:
    """Run the checks in their order, but for those that need a part found missing before."""
    findings: list[Finding] = []
    missing: set[Part] = set()
    for check in checks:
        left_out = bool(check.needs & missing)
        found = [] if left_out else check.run(subject)
        findings += found
        if check.shows and (left_out or any(f.level is Level.ERROR for f in found)):
            missing.add(check.shows)
    return findings


def _failed(area: str, words: str) -> Finding:
    return Finding(
        level=Level.ERROR,
        area=area,
        code="check-failed",
        text=words,
        change="See that the account which runs this may read what the check looks at.",
    )


@dataclass(frozen=True, slots=True)
class Area:
    """Makes the findings of one area."""

    name: str

    def error(self, code: str, text: str, change: str) -> Finding:
        """What keeps e2ereset from being safe, or from working."""
        return self._finding(Level.ERROR, code, text, change)

    def warning(self, code: str, text: str, change: str) -> Finding:
        """What is weaker than it should be."""
        return self._finding(Level.WARNING, code, text, change)

    def note(self, code: str, text: str, change: str = "") -> Finding:
        """What one should know of."""
        return self._finding(Level.NOTE, code, text, change)

    def ok(self, code: str, text: str) -> Finding:
        """What was seen and is good, with the facts."""
        return self._finding(Level.OK, code, text, "")

    def check(
        self, code: str, passed: str, *needs: Part, shows: Part | None = None
    ) -> Callable[[Callable[[Subject], Iterator[Finding]]], Check]:
        """Make a check of a generator of findings."""

        def make(look: Callable[[Subject], Iterator[Finding]]) -> Check:
            return Check(
                area=self.name,
                code=code,
                passed=passed,
                look=look,
                needs=frozenset(needs),
                shows=shows,
            )

        return make

    def _finding(self, level: Level, code: str, text: str, change: str) -> Finding:
        return Finding(level=level, area=self.name, code=code, text=text, change=change)
