"""Ways in which a database is not there, and what every answer must be while it lasts."""

import signal
from contextlib import contextmanager
from functools import partial

from tests.kit.client import API, LOGIN, LOGOUT, ME, RESET, SET_KEYS
from tests.kit.live import PAIR, at_once

UNAVAILABLE = {"success": False, "error": "Service Unavailable"}
WRONG = {"user": "user0", "password": "a wrong password"}
KEYS = API + "e2e.fetchMyKeys"


def database_of(live):
    return live.settings["FLASK_SQLALCHEMY_DATABASE_URI"].rpartition("/")[2]


@contextmanager
def outage(begin, end):
    begin()
    try:
        yield
    finally:
        end()


def shut_down(server, _database):
    """As by `systemctl restart`: every connection ends at once."""
    return outage(server.stop, server.start)


def crashed(server, _database):
    return outage(partial(server.stop, signal.SIGQUIT), server.start)


def killed(server, _database):
    return outage(server.kill, server.start)


def out_of_connections(server, database, left=0):
    """The server takes no connection more than these that are `left`, and ends all there are."""

    def begin():
        limit_connections(server, left)
        end_connections(server, database)

    return outage(begin, partial(limit_connections, server, -1))


def read_only_by_configuration(server, _database):
    """What a session takes over at once, and gives back at once."""

    def set_to(value):
        server.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        server.execute("SELECT pg_reload_conf()")

    return outage(partial(set_to, "on"), partial(set_to, "off"))


def read_only_standby(server, database):
    """As when the primary comes back as a standby: connections made now stay read-only."""
    change = f"ALTER DATABASE {database}"

    def begin():
        server.execute(f"{change} SET default_transaction_read_only = on")
        end_connections(server, database)

    end = partial(server.execute, f"{change} RESET default_transaction_read_only")
    return outage(begin, end)


def limit_connections(server, number):
    server.execute(f"ALTER ROLE service CONNECTION LIMIT {number}")


def end_connections(server, database):
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{database}' AND usename = 'service'"
    )


def writes(live, user):
    """One request to each route that writes."""
    return [
        lambda: live.call("POST", RESET, user.headers | {"x-2fa-code": user.totp.now()}),
        lambda: live.call("POST", SET_KEYS, user.headers, PAIR),
        lambda: live.call("POST", LOGIN, None, WRONG),
        lambda: live.call("POST", LOGOUT, user.headers),
    ]


def reads(live, user):
    return [partial(live.call, "GET", path, user.headers) for path in (ME, KEYS)]


def assert_unavailable(answer):
    assert answer.status == 503, answer
    assert answer.body == UNAVAILABLE
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


def assert_all_unavailable(calls):
    for answer in at_once(calls):
        assert_unavailable(answer)
