"""The store of the request rates: whether all workers count in one, and whether it is safe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .deployment import Subject, is_loopback
from .findings import Area, Check, Finding

AREA = Area("limiter")
REDIS = "RATELIMIT_STORAGE_URI = 'rediss://:password@host:6379/0'"


@AREA.check("limiter", "Request rates are counted in one store.")
def LIMITER(subject: Subject) -> Iterator[Finding]:
    """Whether rates are counted, where, and whether the store is there."""
    enabled = subject.config.get("RATELIMIT_ENABLED", True)
    if not enabled:
        yield AREA.warning(
            "rate-limit-off",
            "Nobody's requests are limited; the budgets of the second factor are.",
            "RATELIMIT_ENABLED = True",
        )
        return
    if subject.settings and subject.settings.without_rate_store == "allow":
        yield AREA.note(
            "rate-store-open",
            "While the store of the request rates is gone, nobody's requests are limited.",
            "E2ERESET_WITHOUT_RATE_STORE = 'guarded'",
        )
    if subject.storage is None:
        yield AREA.error(
            "limiter-store-unknown", "The store of the request rates can not be made.", REDIS
        )
    elif type(subject.storage).__name__ == "MemoryStorage":
        yield from _memory(subject)
    elif not _answers(subject.storage):
        yield AREA.error(
            "limiter-store-gone",
            "The store of the request rates does not answer.",
            f"Start it, or {REDIS}",
        )
    else:
        yield from _redis(getattr(subject.storage, "storage", None))


def _memory(subject: Subject) -> Iterator[Finding]:
    fleet = subject.fleet
    words = f"Each of {fleet.processes} workers counts requests on its own (memory://)."
    if fleet.machines > 1:
        yield AREA.error("limiter-in-memory", words, REDIS)
    elif fleet.workers > 1:
        yield AREA.warning("limiter-in-memory", words, REDIS)


def _answers(storage: Any) -> bool:
    try:
        return bool(storage.check())
    except Exception:
        return False


def _redis(client: Any) -> Iterator[Finding]:
    """What is weak about this Redis; nothing where the store is none."""
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        return
    options, encrypted = pool.connection_kwargs, "SSL" in pool.connection_class.__name__
    host = options.get("host")
    if not is_loopback(host):
        if not options.get("password"):
            yield AREA.warning("redis-open", "Redis asks for no password.", REDIS)
        if not encrypted:
            yield AREA.warning("redis-in-clear", "The connection to Redis is not encrypted.", REDIS)
    yield from _eviction(client)
    yield AREA.ok("limiter", f"Redis on {host or 'a socket'} answers.")


def _eviction(client: Any) -> Iterator[Finding]:
    memory = client.info("memory")
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy.startswith("allkeys"):
        yield AREA.warning(
            "redis-evicts",
            f"Redis drops counters when it is full ({policy}).",
            "maxmemory-policy noeviction in redis.conf, or a Redis of its own",
        )


CHECKS: tuple[Check, ...] = (LIMITER,)
