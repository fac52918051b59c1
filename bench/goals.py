"""The ratios that are to be reached, each beside its goal."""

from collections.abc import Iterator, Mapping

from .contests import BY_HAND, NOOP, REJECTED, REQUIRED, RESET, SIGN_IN
from .gunicorn import Server
from .hashing import Bound
from .rows import Runs
from .wire import Commands

PEERS = {"Flask-Security-Too": 4.0, "django-allauth": 4.5, "Flask-SQLAlchemy idiom": 3.0}


def goal(what: str, got: str, to_reach: str) -> str:
    """One line of the list."""
    return f"{what:48}{got:>16}   goal {to_reach}"


def for_both(runs: Runs, most_spread: float) -> Iterator[str]:
    """Those that both databases have."""
    rejected, required = (runs.by_rate(name, NOOP) for name in (REJECTED, REQUIRED))
    rate, cpu = runs.by_rate(RESET, BY_HAND), runs.by_cpu(RESET, BY_HAND)
    yield goal("TOTP reset / by hand, by rate, by CPU", f"{rate:.2f}, {cpu:.2f}", ">= 1.0, >= 0.8")
    yield goal("rejected call / no-op", f"{rejected:.2f}", ">= 0.70")
    yield goal("totp-required / no-op", f"{required:.2f}", ">= 0.25")
    spread = runs.spread(RESET)
    yield goal("p99 / p50 of a reset, 16 writers", f"{spread:.1f}", f"<= {most_spread:g}")


def for_sqlite(runs: Runs) -> Iterator[str]:
    """Those of SQLite alone."""
    rate, p50 = runs.by_rate(SIGN_IN, Bound.name), runs.by_p50(SIGN_IN, Bound.name)
    yield goal("sign-in / bcrypt alone, by rate, by p50", f"{rate:.2f}, {p50:.2f}", ">= 0.90")
    names = {row.name for row in runs.rows}
    for name, least in PEERS.items():
        times = f"{runs.by_rate(RESET, name):.1f} times" if name in names else "not installed"
        yield goal(f"TOTP reset / {name}", times, f">= {least:g}")
    server = next(row.server for row in runs.rows if row.name == RESET)
    assert isinstance(server, Server)
    rss, pss = (server.mebibytes(field) for field in ("Rss", "Pss"))
    yield goal("MiB RSS, PSS of a worker", f"{rss:.0f}, {pss:.0f}", "<= 60, <= 40")


def of_start(ratio: float) -> str:
    """That of the start."""
    return goal("import and start / importing its libraries", f"{ratio:.2f}", "<= 1.4")


def of_wire(commands: Mapping[str, Commands]) -> Iterator[str]:
    """That of the commands on the wire, and what they are by hand."""
    for name, found in commands.items():
        to_reach = "<= 8, 0" if name == RESET else "none"
        got = f"{found.all:g}, {found.unprepared:g}"
        yield goal(f"{name}: commands, of them not prepared", got, to_reach)
