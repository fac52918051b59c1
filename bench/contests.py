"""What is compared on SQLite and on PostgreSQL. The server and the twin have equal databases."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine

from tests.kit.paths import ROOT
from tests.kit.postgres import Postgres, execute, make_postgres

from .facts import PEER_SECRET, RESET_PATH, SECRET_KEY
from .gunicorn import Server, serving
from .hashing import CORES, PASSWORD, Bound
from .load import Requests, post
from .peers import Peer, installed
from .people import (
    Call,
    calls_with_codes,
    calls_without_codes,
    code_of,
    fill,
    give_password,
    make_known,
    spread,
)
from .rows import Calls, Row

FASTEST = 2000  # resets a second that no twin reaches: so many people are kept for each
FASTEST_PEER = 500
RESIDENTS = 500  # whose keys stay
GUESTS = 100  # who sign in by password, without TOTP
OURS, HAND = "e2ereset.server.app:create_app()", "bench.by_hand.app:app"
SECRET = {"FLASK_SECRET_KEY": SECRET_KEY}
Start = Callable[[str, dict[str, str]], Server]

NOOP, REJECTED, REQUIRED, RESET, BY_HAND, SIGN_IN = (
    "no-op Flask JSON endpoint",
    "rejected call (bad token)",
    "totp-required",
    "TOTP reset",
    "TOTP reset by hand",
    "sign-in by password",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How often each row is measured, and for how many seconds."""

    rounds: int
    seconds: int

    def people(self, fastest: int) -> int:
        """How many are needed for a row whose people can be used once, the warm-up included."""
        return fastest * self.seconds * (self.rounds + 1)


class Crowd:
    """The people of one database, and the calls that they make."""

    def __init__(self, size: Size) -> None:
        self.count = size.people(FASTEST) + RESIDENTS + GUESTS
        self._all = spread(self.count, self.count)
        self._share = FASTEST * size.seconds

    def fill(self, uri: str, stored: str) -> None:
        """Make them in a new database; `stored` is the hash of the guests' password."""
        fill(uri, self.count)
        engine = create_engine(uri)
        with engine.begin() as connection:
            make_known(connection, self._all)
            give_password(connection, self._guests, stored)
        engine.dispose()  # nobody may be connected to a template

    def strange(self) -> list[Requests]:
        """Calls with a token that does not exist."""
        return _asked([Call(user, "not-a-token") for user in self._residents])

    def signed_in(self) -> list[Requests]:
        """Calls without a code."""
        return _asked(calls_without_codes(self._residents))

    def sign_ins(self) -> list[Requests]:
        """Sign-ins by password."""
        body = [{"user": user, "password": PASSWORD} for user in self._guests]
        return [(post("/api/v1/login", {}, each),) for each in body]

    def resets(self) -> Callable[[], list[Requests]]:
        """Calls with a code, of people whose key no run has reset before."""
        start, share = RESIDENTS + GUESTS, self._share
        shares = iter([self._all[i : i + share] for i in range(start, self.count, share)])
        return lambda: _asked(calls_with_codes(next(shares)))

    @property
    def _residents(self) -> list[str]:
        return self._all[:RESIDENTS]

    @property
    def _guests(self) -> list[str]:
        return self._all[RESIDENTS : RESIDENTS + GUESTS]


@contextmanager
def on_sqlite(size: Size, folder: Path) -> Iterator[Sequence[Row]]:
    """The rows for SQLite, the peers among them, until the end of the block."""
    crowd, bound = Crowd(size), Bound()
    ours, twin = folder / "e2ereset.sqlite3", folder / "by_hand.sqlite3"
    crowd.fill(f"sqlite:///{ours}", bound.stored)
    shutil.copy(ours, twin)
    with _starting(folder) as start:
        server = start(OURS, settings(f"sqlite:///{ours}", folder))
        rows = _rows(start, crowd, server, str(twin))
        peers = [_peer(start, peer, size, folder) for peer in installed()]
        yield [*rows, _sign_in(crowd, server), bound, *peers]


@contextmanager
def on_postgres(server: Postgres, size: Size, folder: Path) -> Iterator[Sequence[Row]]:
    """The rows for this PostgreSQL, until the end of the block."""
    crowd, ours = Crowd(size), server.uri("e2ereset")
    execute(server.uri(), "CREATE DATABASE e2ereset")
    crowd.fill(ours, Bound().stored)
    execute(ours, "ANALYZE")
    execute(server.uri(), "CREATE DATABASE by_hand TEMPLATE e2ereset")
    twin = server.uri("by_hand").replace("+psycopg", "")
    with _starting(folder) as start:
        yield _rows(start, crowd, start(OURS, settings(ours, folder)), twin)


@contextmanager
def cluster(*settings: str) -> Iterator[Postgres]:
    """A PostgreSQL with these settings, in a folder that its own user can reach."""
    with TemporaryDirectory(prefix="e2ereset-bench-") as name:
        Path(name).chmod(0o755)
        with make_postgres(Path(name) / "cluster", *settings) as server:
            yield server


@contextmanager
def _starting(folder: Path) -> Iterator[Start]:
    """Starts apps with their settings; all of them end with the block."""
    with ExitStack() as stack:
        yield lambda app, env: stack.enter_context(serving(app, env, folder))


def _rows(start: Start, crowd: Crowd, ours: Server, twin: str) -> list[Calls]:
    noop = start("bench.noop:app", {})
    by_hand = start(HAND, {"BENCH_DATABASE": twin} | SECRET)
    return [
        Calls(name=NOOP, server=noop, calls=crowd.strange, wanted=200),
        Calls(name=REJECTED, server=ours, calls=crowd.strange, wanted=401),
        Calls(name=REQUIRED, server=ours, calls=crowd.signed_in, wanted=400),
        Calls(name=RESET, server=ours, calls=crowd.resets(), wanted=200),
        Calls(name=BY_HAND, server=by_hand, calls=crowd.resets(), wanted=200),
    ]


def settings(uri: str, folder: Path) -> dict[str, str]:
    """The server's own, on this database: nothing else runs in its workers, no rate limit."""
    return SECRET | {
        "GUNICORN_CMD_ARGS": f"--config {ROOT / 'gunicorn.conf.py'}",  # as it is deployed
        "E2ERESET_INSTANCE": str(folder),
        "FLASK_SQLALCHEMY_DATABASE_URI": uri,
        "FLASK_RATELIMIT_ENABLED": "false",
        "FLASK_E2ERESET_DELIVERY": "process",
    }


def _sign_in(crowd: Crowd, server: Server) -> Row:
    # As many at once as there are cores: a worker refuses more sign-ins than it has turns.
    return Calls(name=SIGN_IN, server=server, calls=crowd.sign_ins, wanted=200, connections=CORES)


def _peer(start: Start, peer: Peer, size: Size, folder: Path) -> Row:
    database = folder / f"{peer.needs}.sqlite3"
    tokens = peer.people(size.people(FASTEST_PEER), database)
    env, share = {"BENCH_DATABASE": str(database)}, FASTEST_PEER * size.seconds
    server = start(peer.app, env)
    shares = iter([tokens[i : i + share] for i in range(0, len(tokens), share)])

    def calls() -> list[Requests]:
        code = code_of(PEER_SECRET)
        return [peer.ask(token, code) for token in next(shares)]

    return Calls(name=peer.title, server=server, calls=calls, wanted=200)


def _asked(calls: Sequence[Call]) -> list[Requests]:
    return [(post(RESET_PATH, call.headers),) for call in calls]
