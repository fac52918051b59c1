"""Ways in which a database is not there, and what every answer must be while it lasts."""

import signal
from contextlib import contextmanager

from tests.kit.client import ME, RESET, SET_KEYS
from tests.kit.live import PAIR, at_once

UNAVAILABLE = {"success": False, "error": "Service Unavailable"}
LOGIN = {"user": "user0", "password": "a wrong password"}
KEYS = "/api/v1/e2e.fetchMyKeys"


def database_of(live):
    return live.settings["FLASK_SQLALCHEMY_DATABASE_URI"].rpartition("/")[2]


@contextmanager
def shut_down(server, _database):
    """As by `systemctl restart`: every connection ends at once."""
    server.stop(signal.SIGINT)
    try:
        yield
    finally:
        server.start()


@contextmanager
def crashed(server, _database):
    server.stop(signal.SIGQUIT)
    try:
        yield
    finally:
        server.start()


@contextmanager
def killed(server, _database):
    server.kill()
    try:
        yield
    finally:
        server.start()


@contextmanager
def out_of_connections(server, database):
    server.execute("ALTER ROLE service CONNECTION LIMIT 0")
    end_connections(server, database)
    try:
        yield
    finally:
        server.execute("ALTER ROLE service CONNECTION LIMIT -1")


@contextmanager
def read_only_by_configuration(server, _database):
    """What a session takes over at once, and gives back at once."""
    _set_read_only(server, "on")
    try:
        yield
    finally:
        _set_read_only(server, "off")


@contextmanager
def read_only_standby(server, database):
    """As when the primary comes back as a standby: connections made now stay read-only."""
    server.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    end_connections(server, database)
    try:
        yield
    finally:
        server.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")


def end_connections(server, database):
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{database}' AND usename = 'service'"
    )


def _set_read_only(server, value):
    server.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    server.execute("SELECT pg_reload_conf()")


def writes(live, user):
    """One request to each route that writes."""
    return [
        lambda: live.call("POST", RESET, user.headers | {"x-2fa-code": user.totp.now()}),
        lambda: live.call("POST", SET_KEYS, user.headers, PAIR),
        lambda: live.call("POST", "/api/v1/login", None, LOGIN),
        lambda: live.call("POST", "/api/v1/logout", user.headers),
    ]


def reads(live, user):
    return [
        lambda: live.call("GET", ME, user.headers),
        lambda: live.call("GET", KEYS, user.headers),
    ]


def assert_unavailable(answer):
    assert answer.status == 503, answer
    assert answer.body == UNAVAILABLE
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


def assert_all_unavailable(calls):
    for answer in at_once(calls):
        assert_unavailable(answer)
