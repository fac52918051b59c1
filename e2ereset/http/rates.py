"""Request rates: counted by Flask-Limiter for each address and route, where a view wants it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask, Response, g, request
from flask_limiter import Limiter
from limits import RateLimitItem, WindowStats, parse
from limits.errors import ConfigurationError

from e2ereset.errors import SettingsError, TooManyRequests, Unavailable
from e2ereset.settings import Settings

from .origin import caller_network

REDIS_OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 1}
"""Seconds that a request waits for a Redis that does not answer, where the host says nothing."""

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
        # Not its text, which may quote the whole address, password and all.
        raise SettingsError(
            f"RATELIMIT_STORAGE_URI names {store.partition(':')[0]!r}, which is unknown or not"
            " installed. Write 'memory://', or 'redis://host:6379/0' and install e2ereset[redis]."
        ) from None


def read_rate(settings: Settings) -> RateLimitItem:
    """The rate of the settings. Raises SettingsError where the limits library cannot read it."""
    try:
        return parse(settings.rate_limit)
    except ValueError:
        raise SettingsError(
            f"E2ERESET_RATE_LIMIT is {settings.rate_limit!r}. Write it like '10 per minute'."
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Counts requests, as the settings say. `clock` gives epoch seconds."""

    limiter: Limiter
    rate: RateLimitItem
    settings: Settings
    clock: Callable[[], float]

    def limit(self, *, guarded: bool = True) -> None:
        """Count this request for its address and route. Raises TooManyRequests.

        `guarded` is a route that signs in or takes a second factor. Where the store of the counts
        is gone, E2ERESET_WITHOUT_RATE_STORE says whether to go on; Unavailable when not.
        """
        if not self.limiter.enabled:
            return
        try:
            allowed, stats = self._hit()
        except Exception as fault:  # whatever the client of that store raises
            self._go_on_without_store(fault, guarded=guarded)
            return
        g.e2ereset_rate_headers = {
            "X-RateLimit-Limit": str(self.rate.amount),
            "X-RateLimit-Remaining": str(max(0, stats.remaining)),
            "X-RateLimit-Reset": str(int(stats.reset_time * 1000)),
        }
        if not allowed:
            wait = max(1, math.ceil(stats.reset_time - self.clock()))
            raise TooManyRequests(wait, route=_route(), window=self.rate.get_expiry())

    def _hit(self) -> tuple[bool, WindowStats]:
        key = (caller_network(self.settings.ipv6_prefix), _route())
        allowed = self.limiter.limiter.hit(self.rate, *key)
        return allowed, self.limiter.limiter.get_window_stats(self.rate, *key)

    def _go_on_without_store(self, fault: Exception, *, guarded: bool) -> None:
        gone = f"The store of request rates (RATELIMIT_STORAGE_URI) is gone: {type(fault).__name__}"
        policy = self.settings.without_rate_store
        if policy == "allow" or (policy == "guarded" and not guarded):
            log.warning("%s", gone)
            return
        raise Unavailable(gone) from None


def add_rate_headers(response: Response) -> Response:
    """Tell the client what is left of its request rate."""
    headers: dict[str, Any] | None = g.pop("e2ereset_rate_headers", None)
    if headers:
        response.headers.update(headers)
    return response


def _route() -> str:
    return f"{request.method} {request.endpoint}"
