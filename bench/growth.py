"""What a reset costs among ten thousand users and among a million, on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median

from .people import calls_with_codes, fill
from .scale import World, timed

SMALL = 10_000
ROUNDS, EACH = 10, 100


def compare(large: int, folder: Path) -> Iterator[str]:
    """Time resets in this process, one after the other, in turns on both databases."""
    times: dict[int, list[float]] = {}
    worlds = [_world(people, folder) for people in (SMALL, large)]
    for number in range(ROUNDS):
        for world in worlds:
            users = world.users[number * EACH : (number + 1) * EACH]
            taken = [timed(world, call) for call in calls_with_codes(users)]
            # The first round fills caches.
            times.setdefault(world.people, []).extend(taken if number else [])
    yield f"{'people':>10} {'median us':>10} {'mean us':>10}   (one reset after the other, no HTTP)"
    for people, taken in times.items():
        yield f"{people:>10} {median(taken) * 1e6:>10.0f} {mean(taken) * 1e6:>10.0f}"
    ratio = median(times[large]) / median(times[SMALL])
    yield f"{large} people cost {ratio:.2f} times {SMALL} (target: at most 1.5)"
    for world in worlds:
        world.close()


def _world(people: int, folder: Path) -> World:
    uri = f"sqlite:///{folder / str(people)}.sqlite3"
    fill(uri, people)
    return World(people, uri, ROUNDS * EACH)
