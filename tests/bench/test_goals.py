"""What the benchmark prints are the rows of the first table of docs/performance.md, no others."""

import os
from dataclasses import dataclass

import pytest

from bench import goals
from bench.contests import BY_HAND, NOOP, REJECTED, REQUIRED, RESET, SIGN_IN
from bench.gunicorn import Server
from bench.hashing import Bound
from bench.load import Load
from bench.peers import PEERS
from bench.rows import Measured, Runs
from bench.wire import Commands

OURS = (NOOP, REJECTED, REQUIRED, RESET, BY_HAND, SIGN_IN, Bound.name)


@dataclass(frozen=True)
class Row:
    """One that measures the same each time."""

    name: str
    server: Server

    def run(self, *_):
        load = Load(right=2, wrong=0, seconds=1, p50=1, p99=3)
        return Measured(load=load, cpu=100)


@pytest.fixture
def runs(tmp_path):
    server, names = Server(0, workers=(os.getpid(),)), (*OURS, *(peer.title for peer in PEERS))
    runs = Runs([Row(name, server) for name in names], tmp_path)
    runs.measure(rounds=1, seconds=1)
    return runs


def printed(lines):
    """What each line says of the page, by the name of its row."""
    found = {line[:58].rstrip(): line.partition("page ")[2].split("goal ") for line in lines}
    return {name: tuple(map(str.strip, cells)) for name, cells in found.items()}


def on_the_page(column):
    found = {n: (cells[column], cells[goals.TO_REACH]) for n, cells in goals.page().items()}
    return {name: cells for name, cells in found.items() if cells[0] != "-"}


def test_the_bench_prints_each_row_of_the_page_for_sqlite(runs):
    assert printed(goals.for_sqlite(runs, 1.5)) == on_the_page(goals.SQLITE)


def test_the_bench_prints_each_row_of_the_page_for_postgresql(runs):
    *lines, by_hand = goals.for_postgres(runs, {RESET: Commands(16, 0), BY_HAND: Commands(18, 0)})
    assert printed(lines) == on_the_page(goals.POSTGRES)
    assert "18, 0" in by_hand
