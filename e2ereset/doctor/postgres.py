"""What PostgreSQL must be set to, for a committed reset to stay and for nobody to wait for ever."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import QueuePool, Row, Select, func, literal_column, select

from .deployment import Deployment, is_loopback
from .findings import Finding, Part, check, found

AREA = "postgresql"
OLDEST = 13
BACKGROUND = 2  # the threads that mail and seal
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
SETTINGS = (
    *("server_version_num", "server_encoding", "statement_timeout", "is_superuser"),
    *("max_connections", "superuser_reserved_connections", *DURABLE),
)
LIMITED_BY = "(SELECT source FROM pg_settings WHERE name = 'statement_timeout')"
ENCRYPTED = "coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)"
PROCESS = select(func.pg_backend_pid())
FACTS: Select[Any] = select(
    *(func.current_setting(name).label(name) for name in SETTINGS),
    func.pg_is_in_recovery().label("standby"),
    literal_column(LIMITED_BY).label("limited_by"),
    literal_column(ENCRYPTED).label("encrypted"),
)


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
    version = int(facts.server_version_num) // 10000
    if version < OLDEST:
        yield found("postgresql-old", version=version, oldest=OLDEST)
    if facts.server_encoding != "UTF8":
        yield found("encoding", encoding=facts.server_encoding)
    if facts.standby:
        yield found("database-standby")
    yield from (found("not-durable", name=n) for n in DURABLE if getattr(facts, n) == "off")


def _session(app: Deployment, facts: Row[Any]) -> Iterator[Finding]:
    if facts.statement_timeout == "0":
        yield found("statement-timeout-unset")
    if facts.is_superuser == "on":
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
    wanted, reserved = each * processes, int(facts.superuser_reserved_connections)
    most = int(facts.max_connections) - reserved
    if wanted > most:
        needs = {"processes": processes, "wanted": wanted, "enough": wanted + reserved + 10}
        yield found("connections-short", most=most, **needs)
    needs = {"threads": scale.threads, "background": BACKGROUND}
    if each < (enough := sum(needs.values())):
        yield found("pool-small", each=each, enough=enough, **needs)
