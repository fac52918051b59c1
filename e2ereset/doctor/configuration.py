"""Settings that are unsafe, or that contradict one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from difflib import get_close_matches

from e2ereset.settings import PREFIX, SERVER_PREFIX, Settings

from .deployment import Subject, is_loopback
from .findings import Area, Check, Finding, Part

AREA = Area("settings")
SAMESITE = ("SESSION_COOKIE_SAMESITE", "REMEMBER_COOKIE_SAMESITE")
SENDS_NOTHING = ("locmem", "console", "dummy")
ADDRESSES = ("SQLALCHEMY_DATABASE_URI", "RATELIMIT_STORAGE_URI")
SPELLED = ("SECRET_KEY", *ADDRESSES, *(PREFIX + field.name.upper() for field in fields(Settings)))
"""Settings that would be missed in silence where their name is misspelled."""
ALIKE = 0.88
UNPREFIXED = (PREFIX, "SQLALCHEMY_", "RATELIMIT_")
# Not settings: read from the environment before there is a configuration.
ENVIRONMENT = ("E2ERESET_INSTANCE", "E2ERESET_TEST_")


@AREA.check("settings-accepted", "The app starts with these settings.", shows=Part.SETTINGS)
def ACCEPTED(subject: Subject) -> Iterator[Finding]:
    """Whether the settings refuse to start."""
    if subject.refusal or subject.settings is None:
        words = subject.refusal or "The app has no settings of e2ereset."
        yield AREA.error(
            "settings-refused", f"The app does not start: {words}", "Change what it names."
        )


@AREA.check("debug", "Neither DEBUG nor TESTING is on.")
def DEBUG(subject: Subject) -> Iterator[Finding]:
    """What is for developers only."""
    if subject.config.get("DEBUG"):
        yield AREA.error(
            "debug-on", "DEBUG shows the insides of a fault to any caller.", "DEBUG = False"
        )
    if subject.config.get("TESTING"):
        yield AREA.error(
            "testing-on",
            "TESTING takes settings that are too weak to serve with.",
            "TESTING = False",
        )
    if subject.config.get("SQLALCHEMY_ECHO"):
        yield AREA.warning(
            "sql-echo-on",
            "SQLALCHEMY_ECHO writes every statement into the log.",
            "SQLALCHEMY_ECHO = False",
        )


@AREA.check("second-factor", "Resets need a second factor.", Part.SETTINGS)
def SECOND_FACTOR(subject: Subject) -> Iterator[Finding]:
    """Ways around the second factor."""
    settings = subject.known
    if not settings.two_factor:
        yield AREA.warning(
            "two-factor-off",
            "Every signed-in caller resets keys without a proof.",
            "E2ERESET_TWO_FACTOR = True",
        )
    if settings.without_method == "allow":
        yield AREA.warning(
            "without-method-allowed",
            "Callers without a method pass unproved.",
            "E2ERESET_WITHOUT_METHOD = 'refuse'",
        )
    if settings.bypass_tokens:
        yield AREA.note(
            "bypass-tokens-allowed",
            "Personal tokens made to skip the proof skip it.",
            "E2ERESET_BYPASS_TOKENS = False",
        )
    if settings.methods == ("password",):
        yield AREA.warning(
            "methods-password-only",
            "The password is the only second factor.",
            "E2ERESET_METHODS = ['totp', 'email', 'password']",
        )


@AREA.check("mail-settings", "Mails go to a mail relay, under a name of yours.", Part.SETTINGS)
def MAIL(subject: Subject) -> Iterator[Finding]:
    """Whether mailed codes and notices can arrive, and who reads them on the way."""
    relay = subject.relay
    if relay.backend in SENDS_NOTHING:
        yield _reaches_nobody(subject)
    elif relay.backend == "file":
        yield AREA.note(
            "mail-to-files",
            "Mails are written to files: nobody is sent anything.",
            "MAIL_BACKEND = 'smtp'; MAIL_SERVER = '...'",
        )
    if relay.backend != "smtp":
        return
    if not relay.server:
        yield AREA.error(
            "mail-server-missing",
            "MAIL_SERVER is empty: mails wait for seven days, then are given up.",
            "MAIL_SERVER = 'your.relay'",
        )
        return
    if subject.known.mail_sender == "e2ereset@localhost":
        yield AREA.warning(
            "mail-sender-missing",
            "Mails come from e2ereset@localhost, which other mail servers refuse.",
            "MAIL_DEFAULT_SENDER = 'e2ereset@your.domain'",
        )
    if "MAIL_SERVER" not in subject.config:
        yield AREA.note(
            "mail-server-default",
            "Mails go to localhost, as MAIL_SERVER is not set.",
            "MAIL_SERVER = 'your.relay'",
        )
    yield from _mail_privacy(subject)


def _reaches_nobody(subject: Subject) -> Finding:
    name, codes = subject.relay.backend, "email" in subject.known.methods
    what = "Codes by e-mail reach" if codes else "Notices reach"
    make = AREA.error if codes else AREA.warning
    return make(
        "mail-backend-for-tests",
        f"{what} nobody: MAIL_BACKEND is {name!r}.",
        "MAIL_BACKEND = 'smtp'; MAIL_SERVER = '...'",
    )


def _mail_privacy(subject: Subject) -> Iterator[Finding]:
    relay = subject.relay
    change = "MAIL_USE_SSL = True; MAIL_USE_TLS = False; MAIL_PORT = 465"
    if relay.tls and relay.starttls:
        yield AREA.error(
            "mail-tls-twice",
            "MAIL_USE_TLS and MAIL_USE_SSL are both on: no mail is sent at all.",
            change,
        )
    elif is_loopback(relay.server) or relay.tls or relay.starttls:
        return
    elif relay.username and relay.password:
        yield AREA.error(
            "mail-in-clear",
            "The relay's password and all codes cross the network unencrypted.",
            change,
        )
    else:
        yield AREA.warning("mail-in-clear", "Mails cross the network unencrypted.", change)


@AREA.check("operations", "Health and metrics are not open to the network.", Part.SETTINGS)
def OPERATIONS(subject: Subject) -> Iterator[Finding]:
    """Who can read health and metrics, which ask for no token on an address of their own."""
    bind = subject.known.operations_bind
    if bind and not is_loopback(bind.rpartition(":")[0]):
        yield AREA.warning(
            "operations-open",
            f"Whoever reaches {bind} reads health and metrics.",
            "E2ERESET_OPERATIONS_BIND = '127.0.0.1:9100', or a firewall before it",
        )


@AREA.check("cookies", "Pages of other sites do not get the sign-in's cookie.", Part.SETTINGS)
def COOKIES(subject: Subject) -> Iterator[Finding]:
    """Whether a browser adds the sign-in to requests of other sites' pages."""
    if not subject.known.cookie_sign_in:
        return
    given = {name: subject.config[name] for name in SAMESITE if name in subject.config}
    for name, value in given.items():
        if str(value).lower() in ("lax", "strict"):
            continue
        make = AREA.note if value is None else AREA.warning
        words = "Some browsers send" if value is None else "Browsers send"
        yield make(
            "cookie-cross-site",
            f"{words} the cookie with requests of other sites' pages: {name} is {value!r}. Our"
            " routes refuse those, your own views may not.",
            f"{name} = 'Lax'",
        )


@AREA.check("setting-names", "No setting looks misspelled.")
def NAMES(subject: Subject) -> Iterator[Finding]:
    """Keys that nothing reads, though they look like a setting."""
    for key in subject.config:
        if key in SPELLED or key.startswith((PREFIX, SERVER_PREFIX)):
            continue  # the app does not start with an unknown one of ours
        meant = get_close_matches(key.upper().removeprefix("FLASK_"), SPELLED, 1, ALIKE)
        if meant:
            yield AREA.warning("setting-misspelled", f"Nothing reads {key}.", f"{meant[0]} = ...")


@AREA.check("environment-names", "Every setting in the environment is read.")
def VARIABLES(subject: Subject) -> Iterator[Finding]:
    """Variables that look like settings, but lack the prefix with which Flask reads them."""
    for name in subject.environ:
        if name.startswith(UNPREFIXED) and not name.startswith(ENVIRONMENT):
            yield AREA.warning(
                "variable-unread", f"The variable {name} is not read.", f"FLASK_{name}=..."
            )


CHECKS: tuple[Check, ...] = (
    ACCEPTED,
    DEBUG,
    SECOND_FACTOR,
    MAIL,
    OPERATIONS,
    COOKIES,
    NAMES,
    VARIABLES,
)
