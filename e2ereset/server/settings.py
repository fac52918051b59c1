"""The settings of the standalone server alone: the `E2ERESET_SERVER_` keys."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2ereset.errors import SettingsError
from e2ereset.settings import SERVER_PREFIX, bounded, choice, read_fields

PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~-]+)*")
SAFE_BCRYPT_COST = 10  # OWASP ASVS 4.0, 2.4.4
SHORTEST_PASSWORD = 8
SAFE_ALONE = 15  # NIST SP 800-63B-4, 3.1.1.2: where a password can be the only factor


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The typed settings of one server; a field `x` is the config key `E2ERESET_SERVER_X`."""

    bcrypt_cost: int = bounded(12, 4, 16)
    """Cost of a password hash; each step doubles its time. Below 10 for tests only."""
    hashes_at_once: int = bounded(3, 1, 64)
    """Most passwords hashed at once in a worker, those of sign-ins one fewer. Keep it below the
    threads of a worker: the others are for those who are signed in."""
    shortest_password: int = bounded(SHORTEST_PASSWORD, 8, 64)
    """Fewest characters of a password that is set; NIST SP 800-63B wants 15 where it is alone."""
    token_days: int = bounded(90, 1, 365)
    """Life of a sign-in."""
    proxy_hops: int = bounded(0, 0, 5)
    """How many reverse proxies stand in front and set `X-Forwarded-For`. 0 trusts no header."""
    public_url: str = ""
    """Where people reach the server, such as `https://chat.example.org`: mailed links begin so."""
    trust_request_id: bool = False
    """Whether a request is logged under the proxy's `X-Request-Id`; needs a proxy."""
    failures_per_5_minutes: int = bounded(20, 5, 100_000)
    """Failed sign-ins from one address, or IPv6 network, before more are refused."""
    failures_per_hour: int = bounded(60, 5, 100_000)
    """Failed sign-ins from one address, or IPv6 network, before more are refused."""
    failures_per_day: int = bounded(200, 5, 100_000)
    """Failed sign-ins from one address, or IPv6 network, before more are refused."""
    log_format: str = choice("text", "text", "json")
    """The log lines on standard error: for people, or one JSON object each."""
    log_level: str = choice("info", "debug", "info", "warning", "error")
    """What is logged; `warning` leaves out the line of each request."""
    database_connections: int = bounded(8, 3, 200)
    """Most connections of one worker to PostgreSQL: its threads, two that mail and seal, spare."""

    @property
    def address_windows(self) -> tuple[tuple[int, int], ...]:
        """(seconds, failures) of the budget of one address, shortest first."""
        return (
            (300, self.failures_per_5_minutes),
            (3600, self.failures_per_hour),
            (86400, self.failures_per_day),
        )

    @property
    def token_seconds(self) -> int:
        """Life of a sign-in in seconds."""
        return self.token_days * 86400


def load_server_settings(config: Mapping[str, Any]) -> ServerSettings:
    """Read the `E2ERESET_SERVER_` keys of an `app.config`.

    Raises SettingsError for an unknown key, a wrong type, an unsafe value.
    """
    settings = ServerSettings(**read_fields(ServerSettings, config, SERVER_PREFIX))
    if settings.bcrypt_cost < SAFE_BCRYPT_COST and not config.get("TESTING"):
        raise SettingsError(
            f"{SERVER_PREFIX}BCRYPT_COST must be {SAFE_BCRYPT_COST} or more outside of tests."
        )
    if settings.public_url and not PUBLIC_URL.fullmatch(settings.public_url):
        raise SettingsError(
            f"{SERVER_PREFIX}PUBLIC_URL is {settings.public_url!r}. Write it like"
            " 'https://chat.example.org', without a slash at its end."
        )
    if settings.trust_request_id and not settings.proxy_hops:
        raise SettingsError(
            f"{SERVER_PREFIX}TRUST_REQUEST_ID needs a proxy that sets the header. Set"
            f" {SERVER_PREFIX}PROXY_HOPS to how many there are, or leave it False."
        )
    return settings
