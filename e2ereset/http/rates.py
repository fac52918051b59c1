"""Request rates. Flask-Limiter counts them for each address and route, when a view asks for it."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from flask import Flask, Response, g, request
from flask_limiter import Limiter
from limits import RateLimitItem, WindowStats, parse
from limits.errors import ConfigurationError

from e2ereset.errors import SettingsError, TooManyRequests, Unavailable
from e2ereset.settings import PREFIX, Settings

from .origin import caller_network

REDIS_OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 1}
"""Seconds that a request waits for Redis, unless the host sets other options."""

Kind = Literal["guarded", "write", "read"]
"""The kinds of routes: those that sign in or take a second factor, others that change something,
and those that change nothing."""
SETTING: dict[Kind, str] = {
    "guarded": "rate_limit",
    "write": "rate_limit_writes",
    "read": "rate_limit_reads",
}
BYPASS = "api-bypass-rate-limit"
"""The permission to go over the rate."""

log = logging.getLogger(__name__)


def find_limiter(app: Flask, settings: Settings) -> Limiter:
    """The host's own limiter, or one of ours with its configuration (RATELIMIT_...)."""
    for limiter in app.extensions.get("limiter", ()):
        return limiter  # type: ignore[no-any-return]
    store = app.config.setdefault("RATELIMIT_STORAGE_URI", "memory://")
    if store.startswith("redis"):
        given = app.config.get("RATELIMIT_STORAGE_OPTIONS") or {}
        app.config["RATELIMIT_STORAGE_OPTIONS"] = {**REDIS_OPTIONS, **given}
    try:
        return Limiter(partial(caller_network, settings.ipv6_prefix), app=app)
    except ConfigurationError:
        # Without the error's text, which may quote the whole address with its password.
        raise SettingsError(
            f"RATELIMIT_STORAGE_URI names {store.partition(':')[0]!r}, which is unknown or not"
            " installed. Write 'memory://', or 'redis://host:6379/0' and install e2ereset[redis]."
        ) from None


def read_rates(settings: Settings) -> dict[Kind, RateLimitItem]:
    """The rates in the settings. Raises SettingsError if the limits library cannot parse one."""
    return {kind: _read_rate(key, getattr(settings, key)) for kind, key in SETTING.items()}


def _read_rate(key: str, given: str) -> RateLimitItem:
    try:
        return parse(given)
    except ValueError:
        raise SettingsError(
            f"{PREFIX}{key.upper()} is {given!r}. Write it like '10 per minute'."
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Counts requests against the rate of their kind. `clock` gives epoch seconds."""

    limiter: Limiter
    rates: Mapping[Kind, RateLimitItem]
    settings: Settings
    clock: Callable[[], float]

    def limit(self, kind: Kind = "guarded") -> None:
        """Count this request for its address and route. Raises TooManyRequests.

        If the store of the counts fails, E2ERESET_WITHOUT_RATE_STORE decides whether a request of
        this kind goes on or raises Unavailable.
        """
        if not self.limiter.enabled:
            return
        rate = self.rates[kind]
        try:
            allowed, stats = self._hit(rate)
        except Exception as fault:  # the client of each store raises its own errors
            self._go_on_without_store(fault, guarded=kind == "guarded")
            return
        g.e2ereset_rate_headers = {
            "X-RateLimit-Limit": str(rate.amount),
            "X-RateLimit-Remaining": str(max(0, stats.remaining)),
            "X-RateLimit-Reset": str(int(stats.reset_time * 1000)),
        }
        if not allowed:
            wait = max(1, math.ceil(stats.reset_time - self.clock()))
            raise TooManyRequests(wait, route=_route(), window=rate.get_expiry())

    def _hit(self, rate: RateLimitItem) -> tuple[bool, WindowStats]:
        key = (caller_network(self.settings.ipv6_prefix), _route())
        allowed = self.limiter.limiter.hit(rate, *key)
        return allowed, self.limiter.limiter.get_window_stats(rate, *key)

    def _go_on_without_store(self, fault: Exception, *, guarded: bool) -> None:
        gone = f"The store of request rates (RATELIMIT_STORAGE_URI) is gone: {type(fault).__name__}"
        policy = self.settings.without_rate_store
        if policy == "allow" or (policy == "guarded" and not guarded):
            log.warning("%s", gone)
            return
        raise Unavailable(gone) from None


def forget_rate_headers() -> None:
    """Answer this request without those headers, as the rate does not hold for its caller."""
    g.pop("e2ereset_rate_headers", None)


def add_rate_headers(response: Response) -> Response:
    """Add the headers that tell the client how many requests it has left."""
    headers: dict[str, Any] | None = g.pop("e2ereset_rate_headers", None)
    if headers:
        response.headers.update(headers)
    return response


def _route() -> str:
    return f"{request.method} {request.endpoint}"
