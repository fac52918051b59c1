"""Messages: the words of each kind of mail, once, in a text and an HTML layout.

A kind's template sets `subject`, `lead`, `details` and `advice`, and where it has them `code_line`
and `notes`; `templates/mail.txt` and `templates/mail.html` lay them out. Usernames, addresses and
user agents come from anybody: they are cleaned before a template sees them, and HTML is escaped.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateSyntaxError,
    select_autoescape,
)

from e2ereset.agents import read_agent
from e2ereset.errors import SettingsError
from e2ereset.files import folder_of
from e2ereset.languages import N_, Words, pattern_of
from e2ereset.records import name_key

METHOD_NAMES = {
    "totp": N_("authenticator app"),
    "email": N_("mailed code"),
    "passkey": N_("passkey"),
    "password": N_("password"),
    "sign-in": N_("password at sign-in"),
}
LONGEST = 200
LONGEST_OF = {"username": 64, "by": 64, "phrase": 120}
# With a scheme, or a host and a path: mail programs make links of both, but not of a network.
LINK = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,20}://|www\.|[\w-]+(?:\.[\w-]+)*\.[^\W\d][\w-]*/)\S*", re.IGNORECASE
)
OWN_LINK = re.compile(
    r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~-]+)*/verify-email/[A-Za-z0-9.:_-]{1,500}"
)
"""The one kind of link that we mail: to the page that verifies an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A mail to one recipient, ready to send. A repeat of it has the same `message_id`."""

    sender: str
    recipient: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    message_id: str


def name_domain(address: str) -> str:
    """The address with its domain in ASCII, as DNS and relays know it (IDNA 2008).

    Not Python's codec `idna`, which is of 2003: it makes `strasse.example` of `straße.example`,
    which is somebody else's.
    """
    local, at, domain = address.rpartition("@")
    labels = name_key(domain).split(".")
    ascii_only = (
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels
    )
    return address if domain.isascii() else f"{local}{at}{'.'.join(ascii_only)}"


def make_templates(folder: str = "") -> Environment:
    """The templates of mails; one of the same name in the folder comes before ours.

    Raises SettingsError for a folder that is not there, and for a template that Jinja cannot read.
    """
    own = FileSystemLoader(folder_of("E2ERESET_MAIL_TEMPLATES", folder))
    ours = PackageLoader("e2ereset.mail")
    templates = Environment(
        loader=ChoiceLoader([own, ours]),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        for name in {*own.list_templates()} & {*ours.list_templates()}:
            templates.get_template(name)
    except TemplateSyntaxError as fault:
        where = f"{fault.filename}, line {fault.lineno}"
        raise SettingsError(f"A mail's template is wrong: {where}: {fault.message}.") from None
    return templates


TEMPLATES = make_templates()


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterhead:
    """What all mails of a workspace share: its name, its templates, the address of its pages.

    `security_page` is empty where there is none to look at.
    """

    workspace: str
    templates: Environment = TEMPLATES
    security_page: str = ""


def render(
    kind: str, facts: Mapping[str, Any], *, now: int, words: Words, letterhead: Letterhead
) -> tuple[str, str, str]:
    """The subject, the plain text and the HTML of a mail that is sent `now` (epoch seconds).

    Raises TemplateNotFound for a kind that has no template, and UndefinedError or TypeError when a
    fact is missing or of the wrong type.
    """
    known = {name: _cleaned(name, value) for name, value in facts.items()}
    known |= {"now": now, "workspace": letterhead.workspace, **_helpers(known, words)}
    known["security_page"] = letterhead.security_page
    templates = letterhead.templates
    made = vars(templates.get_template(f"{kind}{SUFFIX}").make_module(known))
    made["subject"] = plain(made["subject"])
    text, html = (
        templates.get_template(layout).render(known, words=made)
        for layout in ("mail.txt", "mail.html")
    )
    return made["subject"], text, html


def _helpers(facts: Mapping[str, Any], t: Words) -> dict[str, Any]:
    """What the templates call."""

    def known(text: str) -> str:
        """A text of ours that came as a fact."""
        pattern, named = pattern_of(text)
        return t(pattern, **named)

    def place(address: str, agent: str) -> list[tuple[str, str]]:
        """The rows that say from where, and with what."""
        return [
            (t("From"), address or t("an unknown address")),
            (t("With"), t.program(agent)),
        ]

    has_password = facts.get("has_password", True)
    return {
        "t": t,
        "counted": t.counted,
        "time": t.time,
        "known": known,
        "place": place,
        "method_name": lambda name: t(METHOD_NAMES.get(name) or str(name)),
        # Nobody is told to do what they cannot do.
        "change_password": t("Change your password.") if has_password else "",
    }


def plain(text: str, longest: int = LONGEST) -> str:
    """One printable line of at most `longest` characters, without anything to click on.

    A mail of ours must not carry a link that somebody put into a username or a user agent.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(text.split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    return LINK.sub("(link)", line)


def _cleaned(name: str, value: Any) -> int | str:
    if isinstance(value, int):
        return value
    if name == "link" and OWN_LINK.fullmatch(str(value)):
        return str(value)
    line = plain(str(value), LONGEST_OF.get(name, LONGEST))
    # Once more: whatever was queued, no stranger's sentence is mailed.
    return read_agent(line) if name == "agent" and " " in line else line


SUFFIX = ".jinja"
KINDS = tuple(name.removesuffix(SUFFIX) for name in TEMPLATES.list_templates(extensions=["jinja"]))
"""The kinds of mail that there are: each has a template."""
