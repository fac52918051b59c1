"""What an own reset costs among ever more people, and with a thousand rooms, on PostgreSQL."""

from collections.abc import Iterator
from statistics import median

from tests.kit.postgres import QUICK, Postgres

from . import scale
from .contests import cluster
from .goals import goal

SMALL, MANY_ROOMS = 10_000, scale.ROOMS[-1]


def compare(large: int) -> Iterator[str]:
    """Time resets in this process, one after the other, in turns on both databases."""
    with cluster(*QUICK, "shared_buffers=1GB") as server:  # the database's work, not the disk's
        yield from _compare(server, (SMALL, large))


def _compare(server: Postgres, sizes: tuple[int, int]) -> Iterator[str]:
    for people in sizes:
        scale.make(server.uri(), people)
    worlds = scale.open_worlds(server.uri(), sizes)
    times = scale.in_turns(worlds, scale.own_resets)
    ratio = median(times[sizes[1]]) / median(times[SMALL])
    yield goal(f"own reset, {SMALL} -> {sizes[1]} people, p50", f"{ratio:.2f}", "<= 1.1")
    crowded = median(scale.with_rooms(worlds[-1], MANY_ROOMS)) * 1000
    yield goal(f"own reset with {MANY_ROOMS} rooms, p50", f"{crowded:.1f} ms", "<= 10 ms")
    for world in worlds:
        world.close()
