"""Names the program of a caller for mails and the audit log, in our own words.

A list of known programs, and no library that parses user agents: such a library copies names from
the header, so a stranger could put a sentence into a security mail.
"""

import re
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
    "Firefox": r"Firefox|FxiOS",
    **{name: name for name in ("Vivaldi", "Electron")},
    "Chrome": r"Chrome|CriOS|Chromium|HeadlessChrome",
    "PowerShell": r"PowerShell|WindowsPowerShell",
    **{name: name for name in ("Safari", "Lynx", "curl", "Wget", "HTTPie")},
    "Postman": r"Postman|PostmanRuntime",
    **{name: name for name in ("python-requests", "python-httpx", "aiohttp", "axios")},
    "Python-urllib": r"Python-urllib|python-urllib3|urllib3",
    "Node.js": r"Node\.js|node-fetch|undici|^node$",
    "Java-http-client": r"Java-http-client|Apache-HttpClient",
    **{name: name for name in ("Go-http-client", "okhttp", "Werkzeug")},
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
    program, platform = _first(PROGRAMS, text), _first(PLATFORMS, text)
    return f"{program or UNKNOWN} on {platform}" if platform else program or UNKNOWN


def _first(marks: dict[str, str], text: str) -> str:
    for name, mark in marks.items():
        # It matches whole words only.
        if re.search(rf"(?<![\w.-])(?:{mark})(?![\w-])", text, re.ASCII | re.IGNORECASE):
            return name
    return ""
