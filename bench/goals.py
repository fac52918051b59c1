"""The ratios that are to be reached. docs/performance.md says what they were, and the goals."""

from collections.abc import Iterator, Mapping
from functools import cache

from tests.kit.paths import ROOT

from .contests import BY_HAND, NOOP, REJECTED, REQUIRED, RESET, SIGN_IN
from .gunicorn import Server
from .hashing import Bound
from .peers import PEERS
from .rows import Runs
from .wire import Commands

SQLITE, POSTGRES, TO_REACH = range(3)  # the columns of the page's first table


@cache
def page() -> Mapping[str, list[str]]:
    """The rows of the page's first table: what is compared, and the cells of its columns."""
    text = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    table = text[text.index("\n|") : text.index("|\n\n")].split("\n|")[3:]
    rows = [[cell.strip() for cell in line.rstrip("|").split("|")] for line in table]
    return {name: cells for name, *cells in rows}


def goal(what: str, got: str, to_reach: str, said: str = "-") -> str:
    """One line of the list."""
    return f"{what:58}{got:>13}   page {said:12}goal {to_reach}"


def for_sqlite(runs: Runs, start: float) -> Iterator[str]:
    """All of SQLite; `start` is the ratio of the start."""
    p50, measured = runs.by_p50(SIGN_IN, Bound.name), {row.name for row in runs.rows}
    got = {
        "sign-in by password / bcrypt alone, by median": f"{p50:.2f}",
        "import and start / importing the libraries": f"{start:.2f}",
    }
    for name in (peer.title for peer in PEERS):
        times = f"{runs.by_rate(RESET, name):.1f}" if name in measured else "not installed"
        got[f"TOTP reset / {name}"] = times
    yield from _beside_the_page(_of_both(runs) | got, SQLITE)


def for_postgres(runs: Runs, commands: Mapping[str, Commands]) -> Iterator[str]:
    """All of PostgreSQL, and the commands on the wire by hand."""
    ours, by_hand = (f"{c.all:g}, {c.unprepared:g}" for c in (commands[RESET], commands[BY_HAND]))
    got = {"commands on the wire, and how many of them not prepared": ours}
    yield from _beside_the_page(_of_both(runs) | got, POSTGRES)
    yield goal("the same by hand", by_hand, "-")


def _of_both(runs: Runs) -> dict[str, str]:
    rejected, required = (runs.by_rate(name, NOOP) for name in (REJECTED, REQUIRED))
    rate, cpu = runs.by_rate(RESET, BY_HAND), runs.by_cpu(RESET, BY_HAND)
    server = next(row.server for row in runs.rows if row.name == RESET)
    assert isinstance(server, Server)
    rss, pss = (server.mebibytes(field) for field in ("Rss", "Pss"))
    return {
        "TOTP reset / by hand, by rate; by CPU": f"{rate:.2f}; {cpu:.2f}",
        "rejected call / a no-op in Flask": f"{rejected:.2f}",
        "`totp-required` / a no-op in Flask": f"{required:.2f}",
        "99th percentile / median of a reset, 16 writers": f"{runs.spread(RESET):.1f}",
        "MiB of a worker: resident; with shared pages split": f"{rss:.0f}; {pss:.0f}",
    }


def _beside_the_page(got: Mapping[str, str], database: int) -> Iterator[str]:
    for name, ratio in got.items():
        cells = page()[name]
        yield goal(name, ratio, cells[TO_REACH], cells[database])
