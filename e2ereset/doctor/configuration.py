"""Settings that are unsafe, that contradict one another, or that nothing reads.

Last, those that NIST SP 800-63B or OWASP ASVS want otherwise; clients may need them as they are.
"""

from collections.abc import Iterator
from dataclasses import fields
from difflib import get_close_matches
from math import log2

from e2ereset.factors.odds import most_in
from e2ereset.settings import PREFIX, SERVER_PREFIX, Settings

from .deployment import Deployment, is_loopback
from .findings import Finding, Level, Part, check, found

AREA = "settings"
SAMESITE = ("SESSION_COOKIE_SAMESITE", "REMEMBER_COOKIE_SAMESITE")
SENDS_NOTHING = ("locmem", "console", "dummy")
ADDRESSES = ("SQLALCHEMY_DATABASE_URI", "RATELIMIT_STORAGE_URI")
SPELLED = ("SECRET_KEY", *ADDRESSES, *(PREFIX + field.name.upper() for field in fields(Settings)))
"""Settings that would be missed in silence where their name is misspelled."""
ALIKE = 0.88
UNPREFIXED = (PREFIX, "SQLALCHEMY_", "RATELIMIT_")
# Not settings: read from the environment before there is a configuration.
ENVIRONMENT = ("E2ERESET_INSTANCE", "E2ERESET_TEST_")
MOST_AN_HOUR = 100
"""Wrong tries at one account, of all its methods: OWASP ASVS 4.0, 2.2.1."""
MAIL_BITS = 20


@check(AREA, "settings-accepted", "The app starts with these settings.", shows=Part.SETTINGS)
def accepted(app: Deployment) -> Iterator[Finding]:
    """Whether the settings refuse to start."""
    if app.refusal or app.settings is None:
        yield found("settings-refused", why=app.refusal or "It has no settings of e2ereset.")


@check(AREA, "debug", "Neither DEBUG nor TESTING is on.")
def debug(app: Deployment) -> Iterator[Finding]:
    """What is for developers only."""
    switches = {"DEBUG": "debug-on", "TESTING": "testing-on", "SQLALCHEMY_ECHO": "sql-echo-on"}
    yield from (found(code) for key, code in switches.items() if app.config.get(key))


@check(AREA, "second-factor", "Resets need a second factor.", Part.SETTINGS)
def second_factor(app: Deployment) -> Iterator[Finding]:
    """Ways around the second factor."""
    settings = app.known
    if not settings.two_factor:
        yield found("two-factor-off")
    if settings.without_method == "allow":
        yield found("without-method-allowed")
    if settings.bypass_tokens:
        yield found("bypass-tokens-allowed")
    if settings.methods == ("password",):
        yield found("methods-password-only")


@check(AREA, "mail-settings", "Mails go to a mail relay, under a name of yours.", Part.SETTINGS)
def mail(app: Deployment) -> Iterator[Finding]:
    """Whether mailed codes and notices can arrive, and who reads them on the way."""
    backend = app.relay.backend
    if backend in SENDS_NOTHING:
        codes = "email" in app.known.methods
        level = Level.ERROR if codes else Level.WARNING
        what = "Codes by e-mail reach" if codes else "Notices reach"
        yield found("mail-backend-for-tests", level, what=what, backend=repr(backend))
    elif backend == "file":
        yield found("mail-to-files")
    elif backend == "smtp" and not app.relay.server:
        yield found("mail-server-missing")
    elif backend == "smtp":
        yield from _relayed(app)


def _relayed(app: Deployment) -> Iterator[Finding]:
    relay = app.relay
    if app.known.mail_sender == "e2ereset@localhost":
        yield found("mail-sender-missing")
    if "MAIL_SERVER" not in app.config:
        yield found("mail-server-default")
    if relay.tls and relay.starttls:
        yield found("mail-tls-twice")
    elif is_loopback(relay.server) or relay.tls or relay.starttls:
        return
    elif relay.username and relay.password:
        yield found("mail-in-clear", Level.ERROR, what="The relay's password and all codes")
    else:
        yield found("mail-in-clear", what="Mails")


@check(AREA, "operations", "Health and metrics are not open to the network.", Part.SETTINGS)
def operations(app: Deployment) -> Iterator[Finding]:
    """Who can read health and metrics, which ask for no token on an address of their own."""
    bind = app.known.operations_bind
    if bind and not is_loopback(bind.rpartition(":")[0]):
        yield found("operations-open", bind=bind)


@check(AREA, "cookies", "Pages of other sites do not get the sign-in's cookie.", Part.SETTINGS)
def cookies(app: Deployment) -> Iterator[Finding]:
    """Whether a browser adds the sign-in to requests of other sites' pages."""
    names = [name for name in SAMESITE if app.known.cookie_sign_in and name in app.config]
    for name in names:
        value = app.config[name]
        if value is None:
            yield found("cookie-cross-site", Level.NOTE, who="Some browsers", name=name, value=None)
        elif str(value).lower() not in ("lax", "strict"):
            yield found("cookie-cross-site", who="Browsers", name=name, value=repr(value))


@check(AREA, "pages", "Pages have what the settings name.", Part.SETTINGS)
def pages(app: Deployment) -> Iterator[Finding]:
    """Whether people get an error in the place of a page."""
    for name, value in app.absent.items():
        yield found("page-absent", name=name, value=repr(value))


@check(AREA, "gates", "No view is served without its gate.", Part.SETTINGS)
def gates(app: Deployment) -> Iterator[Finding]:
    """Whether a view that asks for a second factor runs without one."""
    for endpoint in app.ungated:
        yield found("gate-passed-by", endpoint=endpoint)


@check(AREA, "setting-names", "No setting looks misspelled.")
def names(app: Deployment) -> Iterator[Finding]:
    """Keys that nothing reads, though they look like a setting."""
    for key in app.config:
        if key in SPELLED or key.startswith((PREFIX, SERVER_PREFIX)):
            continue  # the app does not start with an unknown one of ours
        meant = get_close_matches(key.upper().removeprefix("FLASK_"), SPELLED, 1, ALIKE)
        if meant:
            yield found("setting-misspelled", name=key, meant=meant[0])


@check(AREA, "environment-names", "Every setting in the environment is read.")
def variables(app: Deployment) -> Iterator[Finding]:
    """Variables that look like settings, but lack the prefix with which Flask reads them."""
    for name in app.environ:
        if name.startswith(UNPREFIXED) and not name.startswith(ENVIRONMENT):
            yield found("variable-unread", name=name)


@check(AREA, "standards", "NIST and OWASP ASVS want no other setting.", Part.SETTINGS)
def standards(app: Deployment) -> Iterator[Finding]:
    """What the two standards say of the methods; nothing where no second factor is asked for."""
    settings = app.known
    if not settings.two_factor:
        return
    if "email" in settings.methods:
        yield from _mailed(settings)
    if "password" in settings.methods and len(settings.methods) > 1:
        yield found("password-as-factor")
    if "totp" in settings.methods and settings.totp_window:
        yield found("totp-code-lives-long", seconds=30 * (2 * settings.totp_window + 1))
    kinds = len([name for name in settings.methods if name != "password"]) or 1
    tries = kinds * most_in(settings.verify_windows, 3600)
    if tries > MOST_AN_HOUR:
        yield found("tries-an-hour-many", tries=tries, most=MOST_AN_HOUR)


def _mailed(settings: Settings) -> Iterator[Finding]:
    methods, digits = settings.methods, settings.email_code_digits
    yield found("email-as-factor")
    if "totp" in methods[methods.index("email") :]:
        yield found("email-before-totp")
    bits = log2(10**digits)
    if bits < MAIL_BITS:
        yield found("email-code-short", digits=digits, bits=f"{bits:.1f}")
