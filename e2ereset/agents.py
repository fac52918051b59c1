"""Names the program of a caller for mails and the audit log, in our own words.

A list of known programs, and no library that parses user agents: such a library copies names from
the header, so a stranger could put a sentence into a security mail.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

UNKNOWN = "an unknown program"
LONGEST = 1024
# The first match counts, as most browsers name other browsers too.
PROGRAMS = {
    "Rocket.Chat mobile": r"RC Mobile|Rocket\.Chat mobile",
    "Rocket.Chat desktop": r"Rocket\.Chat",
    "Edge": r"Edg|EdgA|EdgiOS|Edge",
    "Opera": r"Opera|OPR|OPiOS",
    "Samsung Internet": r"SamsungBrowser|Samsung Internet",
    "Vivaldi": r"Vivaldi",
    "Firefox": r"Firefox|FxiOS",
    "Electron": r"Electron",
    "Chrome": r"Chrome|CriOS|Chromium|HeadlessChrome",
    "PowerShell": r"PowerShell|WindowsPowerShell",
    "Safari": r"Safari",
    "Lynx": r"Lynx",
    "curl": r"curl",
    "Wget": r"Wget",
    "HTTPie": r"HTTPie",
    "Postman": r"Postman|PostmanRuntime",
    "python-requests": r"python-requests",
    "python-httpx": r"python-httpx",
    "Python-urllib": r"Python-urllib|python-urllib3|urllib3",
    "aiohttp": r"aiohttp",
    "axios": r"axios",
    "Node.js": r"Node\.js|node-fetch|undici|^node$",
    "Go-http-client": r"Go-http-client",
    "okhttp": r"okhttp",
    "Java-http-client": r"Java-http-client|Apache-HttpClient",
    "Werkzeug": r"Werkzeug",
}
PLATFORMS = {
    "Android": r"Android",
    "iOS": r"iPhone|iPad|iPod|iOS",
    "ChromeOS": r"CrOS|ChromeOS",
    "Windows": r"Windows|Win32|Win64",
    "macOS": r"Macintosh|Mac OS X|macOS|Darwin",
    "FreeBSD": r"FreeBSD",
    "OpenBSD": r"OpenBSD",
    "Linux": r"Linux|X11",
}


@lru_cache(maxsize=512)
def read_agent(text: str) -> str:
    """The product and platform in a `User-Agent`: "Firefox on Linux", or "curl" alone.

    "an unknown program" if the text has no known product; "" for no text. Reading a result again
    gives the same.
    """
    text = text[:LONGEST]
    if not text.strip():
        return ""
    program, platform = _first(_PROGRAMS, text), _first(_PLATFORMS, text)
    return f"{program or UNKNOWN} on {platform}" if platform else program or UNKNOWN


def _compiled(marks: dict[str, str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    # It matches whole words only.
    return tuple(
        (name, re.compile(rf"(?<![\w.-])(?:{mark})(?![\w-])", re.ASCII | re.IGNORECASE))
        for name, mark in marks.items()
    )


def _first(marks: Iterable[tuple[str, re.Pattern[str]]], text: str) -> str:
    return next((name for name, mark in marks if mark.search(text)), "")


_PROGRAMS, _PLATFORMS = _compiled(PROGRAMS), _compiled(PLATFORMS)
