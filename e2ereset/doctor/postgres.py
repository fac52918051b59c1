"""What PostgreSQL must be set to, for a committed reset to stay and for nobody to wait for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import QueuePool, Row, text

from .deployment import Subject, is_loopback
from .findings import Area, Check, Finding, Part

AREA = Area("postgresql")
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


@AREA.check("postgresql", "PostgreSQL is not in use.", Part.DATABASE)
def SERVER(subject: Subject) -> Iterator[Finding]:
    """What holds for the whole server, or for this database of it."""
    if subject.database.dialect.name == "postgresql":
        yield from _server(_facts(subject))
        yield AREA.ok("postgresql", "The server's settings were looked at.")


@AREA.check("connections", "PostgreSQL is not in use.", Part.DATABASE, Part.SETTINGS)
def CONNECTIONS(subject: Subject) -> Iterator[Finding]:
    """What holds for the connections of this app."""
    if subject.database.dialect.name == "postgresql":
        facts = _facts(subject)
        yield from _session(facts)
        yield from _pooler(subject, facts)
        yield from _privacy(subject, facts)
        yield from _numbers(subject, facts)
        yield AREA.ok("connections", "This app's connections were looked at.")


def _facts(subject: Subject) -> Row[Any]:
    with subject.database.connect() as connection:
        return connection.execute(FACTS).one()


def _server(facts: Row[Any]) -> Iterator[Finding]:
    if facts.version // 10000 < OLDEST:
        yield AREA.error(
            "postgresql-old",
            f"PostgreSQL {facts.version // 10000} is not tested.",
            f"Upgrade to {OLDEST} or later.",
        )
    if facts.encoding != "UTF8":
        yield AREA.error(
            "encoding",
            f"The database is encoded in {facts.encoding}.",
            "CREATE DATABASE ... ENCODING 'UTF8'",
        )
    if facts.standby:
        yield AREA.error(
            "database-standby",
            "This PostgreSQL is a standby, which takes no writes.",
            "Add ?target_session_attrs=read-write to SQLALCHEMY_DATABASE_URI",
        )
    for name in DURABLE:
        if getattr(facts, name) == "off":
            yield AREA.error(
                "not-durable",
                f"{name} is off: a power cut undoes what was committed.",
                f"{name} = on in postgresql.conf",
            )


def _session(facts: Row[Any]) -> Iterator[Finding]:
    if facts.statement_timeout == "0":
        yield AREA.warning(
            "statement-timeout-unset",
            "A statement may run for ever.",
            "SQLALCHEMY_ENGINE_OPTIONS = {'connect_args': {'options': '-c statement_timeout=10s'}}",
        )
    if facts.superuser:
        yield AREA.warning(
            "superuser",
            "e2ereset is connected as a superuser, which it needs not be.",
            "CREATE ROLE e2ereset LOGIN NOSUPERUSER, the owner of the database",
        )


def _pooler(subject: Subject, facts: Row[Any]) -> Iterator[Finding]:
    """What is set on a connection holds for some transactions only, where a pooler deals them."""
    with subject.database.connect() as connection:
        driver: Any = connection.connection.driver_connection
        direct = driver.info.backend_pid == connection.scalar(PROCESS)
    if not direct and facts.limited_by in ("default", "session"):
        yield AREA.warning(
            "pooler-without-limits",
            "A pooler such as PgBouncer stands between: our limits of time reach some transactions"
            " only.",
            "ALTER ROLE e2ereset SET statement_timeout = '10s'; the same with lock_timeout = '5s'"
            " and idle_in_transaction_session_timeout = '30s'",
        )


def _privacy(subject: Subject, facts: Row[Any]) -> Iterator[Finding]:
    if not facts.encrypted and not is_loopback(subject.database.url.host):
        yield AREA.warning(
            "database-in-clear",
            "The connection to PostgreSQL is not encrypted.",
            "Add ?sslmode=verify-full to SQLALCHEMY_DATABASE_URI",
        )


def _numbers(subject: Subject, facts: Row[Any]) -> Iterator[Finding]:
    pool, fleet = subject.database.pool, subject.fleet
    if not isinstance(pool, QueuePool):
        yield AREA.note(
            "connections-uncounted",
            f"The pool is a {type(pool).__name__}: how many connections it opens is not known.",
        )
        return
    each = pool.size() + max(0, pool._max_overflow)
    # Beside its workers, each machine has a process that mails and seals, where it is set so.
    processes = fleet.processes + fleet.machines * (subject.known.delivery == "process")
    wanted, most = each * processes, facts.most - facts.reserved
    if wanted > most:
        yield AREA.warning(
            "connections-short",
            f"{processes} processes open up to {wanted} connections, and PostgreSQL takes {most}.",
            f"max_connections = {wanted + facts.reserved + 10} in postgresql.conf,"
            " or smaller pools",
        )
    if each < fleet.threads + BACKGROUND:
        yield AREA.warning(
            "pool-small",
            f"{fleet.threads} threads and the {BACKGROUND} that mail"
            f" and seal share {each} connections.",
            f"A pool of {fleet.threads + BACKGROUND} or more:"
            " SQLALCHEMY_ENGINE_OPTIONS = {'pool_size': ...}",
        )


CHECKS: tuple[Check, ...] = (SERVER, CONNECTIONS)
