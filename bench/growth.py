"""What an own reset costs among ever more people, and with a thousand rooms, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from tests.kit.postgres import Postgres

from . import scale
from .goals import goal

SMALL, MANY_ROOMS = 10_000, scale.ROOMS[-1]


def compare(server: Postgres, large: int) -> Iterator[str]:
    """Time resets in this process, one after the other, in turns on both databases."""
    sizes = (SMALL, large)
    for people in sizes:
        scale.make(server.uri(), people)
    worlds = scale.open_worlds(server.uri(), sizes)
    times = scale.in_turns(worlds, scale.own_resets)
    ratio = median(times[large]) / median(times[SMALL])
    yield goal(f"own reset, {SMALL} -> {large} people, p50", f"{ratio:.2f}", "<= 1.1")
    crowded = median(scale.with_rooms(worlds[-1], MANY_ROOMS)) * 1000
    yield goal(f"own reset with {MANY_ROOMS} rooms, p50", f"{crowded:.1f} ms", "<= 10 ms")
    for world in worlds:
        world.close()
