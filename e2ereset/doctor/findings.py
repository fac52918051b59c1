"""What a check finds, and how checks run so that none keeps the others from running."""

import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cached_property
from importlib.resources import files
from string import Template

from .deployment import Deployment


class Level(IntEnum):
    """How bad a finding is. `OK` is what a check says that finds nothing."""

    OK = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3


class Part(StrEnum):
    """What checks need. A missing part is one finding, and the checks that need it do not run."""

    SETTINGS = "settings"
    DATABASE = "database"
    TABLES = "tables"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence on what was seen. `change` says what to write or run; it may be empty."""

    level: Level
    area: str
    code: str
    text: str
    change: str = ""


class Catalogue:
    """Makes the findings of a package by their codes, with the words of its `findings.toml`."""

    def __init__(self, package: str) -> None:
        self._package = package

    def __call__(self, code: str, level: Level | None = None, /, **facts: object) -> Finding:
        """The finding of this code. `facts` fill its words, `level` is for one that varies."""
        area, words = self._words[code]
        text, change = (Template(words.get(k, "")).substitute(facts) for k in ("text", "change"))
        given = level or Level[words["level"].upper()]
        return Finding(level=given, area=area, code=code, text=text, change=change)

    @cached_property
    def _words(self) -> dict[str, tuple[str, dict[str, str]]]:
        text = files(self._package).joinpath("findings.toml").read_text(encoding="utf-8")
        areas = tomllib.loads(text).items()
        return {code: (area, words) for area, codes in areas for code, words in codes.items()}


found = Catalogue("e2ereset.doctor")
Look = Callable[[Deployment], Iterator[Finding | str]]
"""Yields findings, and sentences on what is good."""


@dataclass(frozen=True, slots=True)
class Check:
    """Looks at one thing. `passed` is the sentence for when it finds nothing.

    `shows`: the part that is missing when this check finds an error.
    """

    area: str
    code: str
    passed: str
    look: Look
    needs: frozenset[Part] = frozenset()
    shows: Part | None = None

    def run(self, app: Deployment) -> list[Finding]:
        """What it finds: one `OK` where there is nothing, `check-failed` where it raises.

        Of an exception only the name is told: its text may hold an address or a password.
        """
        try:
            seen = list(self.look(app)) or [self.passed]
        except Exception as error:
            return [self._failed(error)]
        return [self._ok(one) if isinstance(one, str) else one for one in seen]

    def _ok(self, text: str) -> Finding:
        return Finding(level=Level.OK, area=self.area, code=self.code, text=text)

    def _failed(self, error: Exception) -> Finding:
        return Finding(
            level=Level.ERROR,
            area=self.area,
            code="check-failed",
            text=f"The check {self.code} ended with {type(error).__name__}.",
            change="See that the account which runs this may read what the check looks at.",
        )


def check(
    area: str, code: str, passed: str, *needs: Part, shows: Part | None = None
) -> Callable[[Look], Check]:
    """Make a check of a generator of findings."""
    return lambda look: Check(area, code, passed, look, frozenset(needs), shows)


def examine(app: Deployment, checks: Iterable[Check]) -> list[Finding]:
    """Run the checks in their order, but for those that need a part found missing before."""
    findings: list[Finding] = []
    missing: set[Part] = set()
    for one in checks:
        left_out = bool(one.needs & missing)
        seen = [] if left_out else one.run(app)
        findings += seen
        if one.shows and (left_out or any(f.level is Level.ERROR for f in seen)):
            missing.add(one.shows)
    return findings
