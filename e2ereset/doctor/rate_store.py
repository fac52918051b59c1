"""The store of the request rates: whether all workers count in one, and whether it is safe."""

from collections.abc import Iterator
from typing import Any

from .deployment import Deployment, is_loopback
from .findings import Finding, Level, check, found


@check("limiter", "limiter", "Request rates are counted in one store.")
def rate_store(app: Deployment) -> Iterator[Finding | str]:
    """Whether rates are counted, where, and whether the store is there."""
    if not app.config.get("RATELIMIT_ENABLED", True):
        yield found("rate-limit-off")
        return
    if app.settings and app.settings.without_rate_store == "allow":
        yield found("rate-store-open")
    if app.storage is None:
        yield found("limiter-store-unknown")
    elif type(app.storage).__name__ == "MemoryStorage":
        if app.scale.processes > 1:
            level = Level.ERROR if app.scale.machines > 1 else Level.WARNING
            yield found("limiter-in-memory", level, processes=app.scale.processes)
    elif not _answers(app.storage):
        yield found("limiter-store-gone")
    else:
        yield from _redis(getattr(app.storage, "storage", None))


def _answers(storage: Any) -> bool:
    try:
        return bool(storage.check())
    except Exception:
        return False


def _redis(client: Any) -> Iterator[Finding | str]:
    """What is weak about this Redis; nothing where the store is none."""
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        return
    options, encrypted = pool.connection_kwargs, "SSL" in pool.connection_class.__name__
    host = options.get("host")
    if not is_loopback(host) and not options.get("password"):
        yield found("redis-open")
    if not is_loopback(host) and not encrypted:
        yield found("redis-in-clear")
    memory = client.info("memory")
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy.startswith("allkeys"):
        yield found("redis-evicts", policy=policy)
    yield f"Redis on {host or 'a socket'} answers."
