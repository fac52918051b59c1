"""Texts and times in a reader's language.

The texts in the code are English, and are the keys of the catalogues. A host's catalogue comes
first, ours second, and a text that neither has stays English.
"""

import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations, find
from itertools import pairwise
from pathlib import Path
from typing import Any

from e2ereset.errors import SettingsError
from e2ereset.files import folder_of

OURS = Path(__file__).parent / "catalogues"
DOMAIN = "e2ereset"
TEMPLATE = OURS / f"{DOMAIN}.pot"
"""All texts, for the translators of a host."""
SOURCE = "en"
PSEUDO = "ar-XB"
"""The right-to-left pseudo-locale: English between marks, for finding texts with no translation."""
RIGHT_TO_LEFT = ("ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi")
MARK = "\N{RIGHT-TO-LEFT MARK}"


def N_(text: str) -> str:
    """The text, noted for the catalogues; it is translated where it is shown."""
    return text


MONTHS = (
    *(N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June")),
    *(N_("July"), N_("August"), N_("September"), N_("October"), N_("November"), N_("December")),
)


ON_PLATFORM = N_("%(program)s on %(platform)s")
UNKNOWN_PROGRAM = N_("an unknown program")
"""As `e2ereset.agents` writes it, too."""


DATE = N_("%(day)s %(month)s %(year)s, %(time)s")


NAME = N_("English")
"""A catalogue translates it by the name of its own language."""


class Pseudo(NullTranslations):
    """Puts marks around every text."""

    def gettext(self, message: str) -> str:
        """The text between marks."""
        return f"{MARK}{message}{MARK}"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The text for this count between marks."""
        return self.gettext(super().ngettext(msgid1, msgid2, n))


class Filled(GNUTranslations):
    """A catalogue whose texts with a count come from its fallback where they were left empty.

    Compilers leave out other empty texts, but Babel puts the English of these in their place.
    """

    rest = NullTranslations()

    def add_fallback(self, fallback: NullTranslations) -> None:
        """Take what is missing from this one."""
        self.rest = fallback
        super().add_fallback(fallback)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The text for this count."""
        found = super().ngettext(msgid1, msgid2, n)
        return self.rest.ngettext(msgid1, msgid2, n) if found in ("", msgid1, msgid2) else found


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language. `zone` is the reader's, by its IANA name; empty: UTC."""

    language: str
    catalogue: NullTranslations = field(repr=False)
    zone: str = ""

    @property
    def name(self) -> str:
        """The name of the language in itself, such as `Deutsch`; without one, its tag."""
        named = self(NAME)
        english = self.language.partition("-")[0] == SOURCE
        return named if named != NAME or english else self.language

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`, as HTML writes it."""
        return "rtl" if self.language.partition("-")[0] in RIGHT_TO_LEFT else "ltr"

    def __call__(self, text: str, **facts: Any) -> str:
        """The text in this language, with the facts in the place of its `%(name)s`."""
        found = self.catalogue.gettext(text) if text else ""  # of no text it is the header
        return found % facts if facts else found

    def counted(self, one: str, many: str, count: int, **facts: Any) -> str:
        """The text for this count, which stands in the place of its `%(count)s`."""
        return self.catalogue.ngettext(one, many, count) % {"count": count, **facts}

    def program(self, agent: str) -> str:
        """The program and the platform of `e2ereset.agents` as people read them."""
        program, _, platform = agent.partition(" on ")
        named = self(program or UNKNOWN_PROGRAM)
        return self(ON_PLATFORM, program=named, platform=platform) if platform else named

    def wait(self, seconds: int) -> str:
        """When to try again, rounded up: in minutes, or in hours where it is long."""
        minutes, hours = -(-seconds // 60), -(-seconds // 3600)
        if hours > 2:
            return self.counted(
                "Try again in %(count)s hour.", "Try again in %(count)s hours.", hours
            )
        return self.counted(
            "Try again in %(count)s minute.", "Try again in %(count)s minutes.", minutes
        )

    def time(self, epoch: int) -> str:
        """Epoch seconds as people read a time, in their zone: `31 January 2026, 13:37 UTC`."""
        at = datetime.fromtimestamp(epoch, UTC)
        if self.zone:
            at = _in_zone(at, self.zone)
        return self(
            DATE,
            day=at.day,
            month=self(MONTHS[at.month - 1]),
            year=at.year,
            time=at.strftime("%H:%M %Z"),
        )


def _in_zone(at: datetime, zone: str) -> datetime:
    """The time as this zone has it, or as it was if the zone is unknown here."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # hosts that know no zones do without

    with suppress(ZoneInfoNotFoundError, ValueError, OSError):
        return at.astimezone(ZoneInfo(zone))
    return at


class Languages:
    """The languages that a workspace speaks, its own first."""

    def __init__(self, names: Iterable[str], folder: str = "") -> None:
        self.names = tuple(names)
        folders = [*folder_of("E2ERESET_CATALOGUES", folder), OURS]
        self._load = cache(lambda name: _catalogue(name, folders))
        for name in self.names:
            # Ours are read when somebody wants them; a host's may be broken, which is told now.
            if folder or not _files(name, folders):
                self._load(name)

    def labels(self) -> dict[str, str]:
        """The name of each language, in itself."""
        return {name: Words(name, self._load(name)).name for name in self.names}

    def pick(self, *wanted: str) -> str:
        """The first language of those wanted that there is; `de-AT` is as good as `de`.

        `*` is any, so the first one.
        """
        known = {name.lower(): name for name in self.names}
        for one in wanted:
            if one == "*":
                break
            for name in (one.lower(), one.lower().partition("-")[0]):
                if name in known:
                    return known[name]
        return self.names[0]

    def words(self, *wanted: str, zone: str = "") -> Words:
        """The words of the language that `pick` picks."""
        name = self.pick(*wanted)
        return Words(name, self._load(name), zone)


def _catalogue(name: str, folders: list[Path]) -> NullTranslations:
    """The catalogues of a language, each in place of what the one before lacks.

    Raises SettingsError for a language that nobody has.
    """
    if name == PSEUDO:
        return Pseudo()
    found = [(_read_once if ours else _read)(file) for file, ours in _files(name, folders)]
    if not found and name != SOURCE:
        raise SettingsError(
            f"E2ERESET_LANGUAGES names {name!r}, of which there is no catalogue. Put one into"
            f" E2ERESET_CATALOGUES, as {name}/LC_MESSAGES/{DOMAIN}.mo."
        )
    for first, second in pairwise(found):
        first.add_fallback(second)
    return found[0] if found else NullTranslations()


def _files(name: str, folders: list[Path]) -> list[tuple[str, bool]]:
    """The catalogues of a language, and whether each is ours."""
    found = ((find(DOMAIN, folder, [name.replace("-", "_")]), folder is OURS) for folder in folders)
    return [(file, ours) for file, ours in found if file]


def _read(file: str) -> Filled:
    try:
        with Path(file).open("rb") as stream:
            return Filled(stream)
    except (OSError, ValueError, struct.error) as fault:
        raise SettingsError(f"{file} is no gettext catalogue: {fault}. Compile it anew.") from None


_read_once = cache(_read)
"""For our own catalogues, which come last and so get no fallback: all apps can share them."""
