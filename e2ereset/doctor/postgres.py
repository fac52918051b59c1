"""What PostgreSQL must be set to, for a committed reset to stay and for nobody to wait for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import QueuePool, Row, text

from .deployment import Deployment, is_loopback
from .findings import Finding, Part, check
from .words import found

AREA = "postgresql"
OLDEST = 13
BACKGROUND = 2  # the threads that mail and seal
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
FACTS = text(
    "SELECT current_setting('server_version_num')::int AS version,"
    " current_setting('server_encoding') AS encoding,"
    " current_setting('fsync') AS fsync,"
    " current_setting('full_page_writes') AS full_page_writes,"
    " current_setting('synchronous_commit') AS synchronous_commit,"
    " current_setting('max_connections')::int AS most,"
    " current_setting('superuser_reserved_connections')::int AS reserved,"
    " current_setting('statement_timeout') AS statement_timeout,"
    " (SELECT source FROM pg_settings WHERE name = 'statement_timeout') AS limited_by,"
    " current_setting('is_superuser') = 'on' AS superuser,"
    " pg_is_in_recovery() AS standby,"
    " coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted"
)
PROCESS = text("SELECT pg_backend_pid()")


@check(AREA, "postgresql", "PostgreSQL is not in use.", Part.DATABASE)
def server(app: Deployment) -> Iterator[Finding | str]:
    """What holds for the whole server, or for this database of it."""
    if app.database.dialect.name == "postgresql":
        yield from _server(_facts(app))
        yield "The server's settings were looked at."


@check(AREA, "connections", "PostgreSQL is not in use.", Part.DATABASE, Part.SETTINGS)
def connections(app: Deployment) -> Iterator[Finding | str]:
    """What holds for the connections of this app."""
    if app.database.dialect.name == "postgresql":
        facts = _facts(app)
        yield from _session(app, facts)
        yield from _numbers(app, facts)
        yield "This app's connections were looked at."


def _facts(app: Deployment) -> Row[Any]:
    with app.database.connect() as connection:
        return connection.execute(FACTS).one()


def _server(facts: Row[Any]) -> Iterator[Finding]:
    if facts.version // 10000 < OLDEST:
        yield found("postgresql-old", version=facts.version // 10000, oldest=OLDEST)
    if facts.encoding != "UTF8":
        yield found("encoding", encoding=facts.encoding)
    if facts.standby:
        yield found("database-standby")
    yield from (found("not-durable", name=n) for n in DURABLE if getattr(facts, n) == "off")


def _session(app: Deployment, facts: Row[Any]) -> Iterator[Finding]:
    if facts.statement_timeout == "0":
        yield found("statement-timeout-unset")
    if facts.superuser:
        yield found("superuser")
    if not _is_direct(app) and facts.limited_by in ("default", "session"):
        yield found("pooler-without-limits")
    if not facts.encrypted and not is_loopback(app.database.url.host):
        yield found("database-in-clear")


def _is_direct(app: Deployment) -> bool:
    """Whether no pooler stands between. What is set on its connections holds for some
    transactions only.
    """
    with app.database.connect() as connection:
        driver: Any = connection.connection.driver_connection
        return bool(driver.info.backend_pid == connection.scalar(PROCESS))


def _numbers(app: Deployment, facts: Row[Any]) -> Iterator[Finding]:
    pool, scale = app.database.pool, app.scale
    if not isinstance(pool, QueuePool):
        yield found("connections-uncounted", pool=type(pool).__name__)
        return
    each = pool.size() + max(0, pool._max_overflow)
    # Beside its workers, each machine has a process that mails and seals, where it is set so.
    processes = scale.processes + scale.machines * (app.known.delivery == "process")
    wanted, most = each * processes, facts.most - facts.reserved
    if wanted > most:
        enough = wanted + facts.reserved + 10
        yield found(
            "connections-short", processes=processes, wanted=wanted, most=most, enough=enough
        )
    enough = scale.threads + BACKGROUND
    if each < enough:
        facts_of_pool = {"threads": scale.threads, "background": BACKGROUND}
        yield found("pool-small", each=each, enough=enough, **facts_of_pool)


CHECKS = (server, connections)
