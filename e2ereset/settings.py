"""Every `E2ERESET_` key: its type, its default, its reason. They are read once, then frozen.

The app does not start with an unknown, mistyped or unsafe setting. The error says what to write
instead (SPEC 3).
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from email.utils import formataddr
from typing import Any
from urllib.parse import quote

from .errors import SettingsError

PREFIX = "E2ERESET_"
SERVER_PREFIX = "E2ERESET_SERVER_"  # the standalone server reads those itself
SHORTEST_KEY = 16
ADVICE = 'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
EXAMPLES = {
    bool: "True or False; in the environment FLASK_{key}=true or false, in small letters",
    int: "a whole number, without quotation marks",
    str: "'...'; in the environment a number needs two pairs: FLASK_{key}='\"123\"'",
}
BIND = re.compile(r"([\w.-]+|\[[\da-fA-F:]+\]):\d+")
ORIGIN = r"[a-z][a-z\d+.-]*://([a-z\d._-]+|\[[\da-f:.]+\])(:\d{1,5})?"
ANY_ORIGIN, ANDROID = "*", r"android:apk-key-hash:[\w-]+"
PAGES_URL = re.compile(r"https?://([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?(/[\w.~-]+)*", re.ASCII)
HIGHEST_PORT = 65535

log = logging.getLogger(__name__)


def bounded(default: int, low: int, high: int) -> Any:
    """A whole-number setting from `low` to `high`, both included.

    The default is allowed even outside of them: then it has a special meaning.
    """
    return field(default=default, metadata={"bounds": (low, high)})


def choice(default: Any, *allowed: Any) -> Any:
    """A setting that takes one of the `allowed` values."""
    return field(default=default, metadata={"allowed": allowed})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The typed settings of one app; a field `x` is the config key `E2ERESET_X`."""

    secret_keys: tuple[str, ...] = field(repr=False)
    """Newest first; every digest and cipher key is derived from these. Default: `SECRET_KEY`."""
    methods: tuple[Any, ...] = ("totp", "email", "password")
    """Second-factor methods in order of preference: names, or Strategy classes."""
    two_factor: bool = True
    """False switches the check off, for a workspace without second factors. A log line at start
    warns of it."""
    without_method: str = choice("refuse", "refuse", "allow")
    """What happens to callers who have no usable method."""
    bypass_tokens: bool = True
    """Whether personal access tokens made with `bypassTwoFactor` pass without a proof."""
    peer_resets: bool = True
    """Whether a caller may reset somebody whose highest role ranks like their own."""
    key_replacement: str = choice("step-up", "step-up", "refuse", "allow")
    """Whether another public key may replace a stored one: with a second factor, never, or with
    the token alone. It is a reset in any case: the same effects, audit row and mail."""
    rate_limit: str = "10 per minute"
    """Requests per caller address and route that signs in or takes a second factor, in the notation
    of the limits library."""
    rate_limit_writes: str = "60 per minute"
    """The same for each other route that changes something."""
    rate_limit_reads: str = "120 per minute"
    """The same for each route that changes nothing, such as `subscriptions.get`."""
    ipv6_prefix: int = bounded(64, 48, 128)
    """All addresses of an IPv6 network with this prefix (bits) are counted as one caller."""
    without_rate_store: str = choice("guarded", "guarded", "refuse", "allow")
    """Who is refused while the store of request rates is unreachable: `guarded` refuses requests
    that sign in or bring a second factor, `refuse` all, `allow` none. Budgets of tries do not use
    that store."""
    max_body_bytes: int = bounded(1024 * 1024, 1024, 64 * 1024 * 1024)
    """The answer to a longer body is 413."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the routes from a browser (CORS), such as
    `https://app.example.org`; `*`: any page, but never with a cookie; empty: none."""
    openapi: bool = True
    """Whether the document of the routes is served, as `openapi.json` and `openapi.html`."""
    cookie_sign_in: bool = True
    """Whether the sign-in may come in a cookie, or in another header that a browser adds by itself.
    If so, requests from pages of other sites are refused where they could change something."""
    email_code_digits: int = bounded(6, 6, 10)
    """Length of a mailed code."""
    email_code_seconds: int = bounded(600, 60, 600)
    """A mailed code lives this long. NIST SP 800-63B 5.1.3.2 allows 600 seconds at most."""
    email_code_tries: int = bounded(5, 1, 5)
    """A mailed code is dead after this many wrong tries."""
    totp_window: int = bounded(1, 0, 1)
    """Steps of 30 seconds accepted before and after the present one."""
    totp_issuer: str = "e2ereset"
    """The name that an authenticator app shows beside the account. Default: the app's name."""
    tries_per_5_minutes: int = bounded(5, 1, 10)
    """Verification budget per user and method."""
    tries_per_hour: int = bounded(20, 1, 40)
    """Verification budget per user and method."""
    tries_per_day: int = bounded(50, 1, 100)
    """Verification budget per user and method; `e2ereset limits` shows a guesser's odds."""
    sends_per_30_seconds: int = bounded(1, 1, 2)
    """Budget of mailed codes per user."""
    sends_per_hour: int = bounded(5, 1, 20)
    """Budget of mailed codes per user."""
    sends_per_day: int = bounded(15, 1, 50)
    """Budget of mailed codes per user."""
    remember_seconds: int = bounded(1800, 0, 1800)
    """How long a proof is remembered for its sign-in, by the routes that allow it. 0: never."""
    pages_base: str = ""
    """Your template that the pages stand in, such as `base.html`, with the blocks `title` and
    `content`. Empty: a plain one of ours."""
    pages_templates: str = ""
    """The folder of your own templates of pages, which come before all others:
    `e2ereset/proof.html`."""
    sign_in_page: str = ""
    """Where the pages lead who is not signed in: the endpoint of your page, such as `auth.login`,
    which gets `next`, or its path. Empty: the page of Flask-Login, else an answer of 401."""
    pages_url: str = ""
    """Where people find the pages, such as `https://app.example.org/security`, for the link in
    mails. Empty: mails have none."""
    passkey_rp_id: str = ""
    """The domain that passkeys are bound to: the host of `E2ERESET_PAGES_URL`, or one above it. It
    must never change: all passkeys would be lost. Empty: that host."""
    passkey_origins: tuple[str, ...] = ()
    """More origins whose pages may use the passkeys, beside that of `E2ERESET_PAGES_URL`."""
    mail_templates: str = ""
    """The folder of your own templates of mails, which come before ours: `mail.html`."""
    languages: tuple[str, ...] = ("en", "de")
    """The languages of pages and mails. A reader gets the one they want; else the first one."""
    catalogues: str = ""
    """The folder of your own catalogues, which come before ours: `de/LC_MESSAGES/e2ereset.mo`."""
    delivery: str = choice("auto", "auto", "thread", "process")
    """Who delivers mail and seals the audit log: a thread in each worker, or the process
    `e2ereset outbox deliver`. `auto` means `thread`, or `process` if `TESTING` is set."""
    mail_sender: str = ""
    """The sender of all mails. Default: `MAIL_DEFAULT_SENDER`."""
    workspace: str = "e2ereset"
    """The name by which mails call this workspace. Default: the app's name."""
    audit_checkpoints: str = ""
    """File to which a signed checkpoint of the audit log is added, once a minute at most."""
    keep_mails_days: int = bounded(30, 1, 3650)
    """`e2ereset purge` deletes finished mails that are older."""
    keep_audit_days: int = bounded(0, 30, 36500)
    """`e2ereset purge` deletes audit rows that are older. 0 keeps them for ever."""
    operations_bind: str = ""
    """Where `/livez`, `/readyz` and `/metrics` are served: `address:port`. Empty: nowhere."""
    operations_token: str = field(default="", repr=False)
    """If set, the app itself serves those three, to requests with this bearer token."""

    @property
    def operations(self) -> bool:
        """Whether health and metrics are served anywhere."""
        return bool(self.operations_bind or self.operations_token)

    @property
    def audit_origin(self) -> str:
        """The workspace as the name of its audit log, percent-encoded."""
        return quote(self.workspace, safe="/:") or "e2ereset"

    @property
    def verify_windows(self) -> tuple[tuple[int, int], ...]:
        """(seconds, tries) of the verification budget, shortest first."""
        tries = (self.tries_per_5_minutes, self.tries_per_hour, self.tries_per_day)
        return tuple(zip((300, 3600, 86400), tries, strict=True))

    @property
    def asked_windows(self) -> tuple[tuple[int, int], ...]:
        """(seconds, mails) that strangers can have sent to an account, shortest first."""
        return ((600, 2), (86400, 5), (86400, 5))

    @property
    def send_windows(self) -> tuple[tuple[int, int], ...]:
        """(seconds, mails) of the sending budget, shortest first."""
        sends = (self.sends_per_30_seconds, self.sends_per_hour, self.sends_per_day)
        return tuple(zip((30, 3600, 86400), sends, strict=True))


def load_settings(config: Mapping[str, Any], *, name: str = "e2ereset") -> Settings:
    """Read the `E2ERESET_` keys of an `app.config`. `name` is the app's name for people.

    Raises SettingsError for an unknown key, a wrong type or an unsafe value.
    """
    given = read_fields(Settings, config, PREFIX, ignore=SERVER_PREFIX)
    given.setdefault("secret_keys", _fallback_key(config))
    given.setdefault("totp_issuer", name)
    given.setdefault("workspace", name)
    given.setdefault("mail_sender", _sender(config.get("MAIL_DEFAULT_SENDER")))
    if given.get("delivery", "auto") == "auto":
        given["delivery"] = "process" if config.get("TESTING") else "thread"
    _check_keys(given["secret_keys"], testing=config.get("TESTING") is True)
    settings = Settings(**given)
    _check_operations(settings)
    _check_origins("E2ERESET_CORS_ORIGINS", settings.cors_origins, "'*' for any", r"\*")
    app = "'android:apk-key-hash:...' of an app"
    _check_origins("E2ERESET_PASSKEY_ORIGINS", settings.passkey_origins, app, ANDROID)
    if settings.pages_url and not PAGES_URL.fullmatch(settings.pages_url):
        raise SettingsError(
            f"E2ERESET_PAGES_URL is {settings.pages_url!r}."
            " Write it like 'https://app.example.org/security'."
        )
    if not settings.languages:
        raise SettingsError("E2ERESET_LANGUAGES is empty. Name one at least, such as ['en'].")
    if not settings.methods:
        raise SettingsError(
            "E2ERESET_METHODS is empty. Name at least one method, such as"
            " ['totp', 'email', 'password'], or set E2ERESET_TWO_FACTOR = False."
        )
    return settings


def read_fields(
    cls: type[Any], config: Mapping[str, Any], prefix: str, *, ignore: str | None = None
) -> dict[str, Any]:
    """The values that `config` gives for the fields of `cls`, checked against their types."""
    known = {prefix + f.name.upper(): f for f in fields(cls)}
    values = {}
    for key, value in config.items():
        if not key.startswith(prefix) or (ignore and key.startswith(ignore)):
            continue
        if key not in known:
            raise SettingsError(f"{key} is not a setting. {_meant(key, sorted(known), prefix)}")
        values[known[key].name] = _checked(key, value, known[key])
    return values


def _meant(key: str, known: list[str], prefix: str) -> str:
    """The setting that somebody may have meant; where none is near, all."""
    from difflib import get_close_matches  # only for a mistake

    names = [name.removeprefix(prefix) for name in known]
    near = get_close_matches(key.removeprefix(prefix), names, 1, 0.75)
    return f"Did you mean {prefix}{near[0]}?" if near else f"Known: {', '.join(known)}."


def _checked(key: str, value: Any, spec: Any) -> Any:
    kind = spec.type
    if kind not in EXAMPLES:  # a tuple
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise SettingsError(f"{key} must be a list, such as {list(spec.default) or ['...']!r}.")
        return tuple(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        words = f"{key} must be of type {kind.__name__}, not {type(value).__name__}."
        raise SettingsError(f"{words} Write {key} = {EXAMPLES[kind].format(key=key)}.")
    low, high = spec.metadata.get("bounds", (value, value))
    if value != spec.default and not low <= value <= high:
        other = "" if low <= spec.default <= high else f", or {spec.default}"
        raise SettingsError(f"{key} must be from {low} to {high}{other}, not {value}.")
    allowed = spec.metadata.get("allowed")
    if allowed and value not in allowed:
        raise SettingsError(f"{key} must be one of {', '.join(map(repr, allowed))}.")
    return value


def _check_operations(settings: Settings) -> None:
    bind, token = settings.operations_bind, settings.operations_token
    if bind and not (BIND.fullmatch(bind) and int(bind.rpartition(":")[2]) <= HIGHEST_PORT):
        raise SettingsError(
            "E2ERESET_OPERATIONS_BIND must be an address and a port, such as '127.0.0.1:9100'."
        )
    if token and not (len(token) >= SHORTEST_KEY and token.isascii() and token.isprintable()):
        raise SettingsError(
            f"E2ERESET_OPERATIONS_TOKEN must be {SHORTEST_KEY} printable ASCII characters or more."
            f" {ADVICE}"
        )


def _check_origins(name: str, origins: tuple[Any, ...], words: str, other: str) -> None:
    for origin in origins:
        if not isinstance(origin, str) or not re.fullmatch(f"{ORIGIN}|{other}", origin):
            raise SettingsError(
                f"{name} holds {origin!r}. Write each origin as a browser does:"
                f" 'https://app.example.org', in small letters and without a path; or {words}."
            )


def _fallback_key(config: Mapping[str, Any]) -> tuple[str, ...]:
    key = config.get("SECRET_KEY")
    return (key.decode("latin-1") if isinstance(key, bytes) else key,) if key else ()


def _sender(default: Any) -> str:
    # Flask-Mailman takes a pair (name, address) too.
    pair = isinstance(default, tuple | list) and len(default) == 2
    return formataddr((default[0], default[1])) if pair else default or "e2ereset@localhost"


def _check_keys(keys: tuple[Any, ...], *, testing: bool) -> None:
    if not keys:
        raise SettingsError(f"Set E2ERESET_SECRET_KEYS (a list) or SECRET_KEY. {ADVICE}")
    if any(not isinstance(key, str) or len(key) < SHORTEST_KEY for key in keys):
        words = (
            "E2ERESET_SECRET_KEYS (or SECRET_KEY, which stands in for it) holds a key that is no"
            f" text of {SHORTEST_KEY} characters or more. {ADVICE}"
        )
        # Many hosts have a key such as "dev" in their tests.
        if not (testing and all(isinstance(key, str) and key for key in keys)):
            raise SettingsError(words)
        log.warning("%s Under TESTING it will do.", words)
    if len(set(keys)) != len(keys):
        raise SettingsError("E2ERESET_SECRET_KEYS names one key twice. Remove the copy.")
