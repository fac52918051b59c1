"""What a reset costs among ten thousand users and among a million."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median
from unittest.mock import patch

from flask import Flask

from e2ereset.server.app import create_app
from e2ereset.server.tables import db

from .people import SECRET_KEY, Call, calls_with_codes, equip, fill

SMALL = 10_000
ROUNDS, EACH = 10, 100
ROUTE = "/api/v1/users.resetE2EKey"


def compare(large: int, folder: Path) -> Iterator[str]:
    """Time resets in this process, one after the other, in turns on both databases."""
    times: dict[int, list[float]] = {}
    with _server(SMALL, folder) as few, _server(large, folder) as many:
        for number in range(ROUNDS):
            for app, people in ((few, SMALL), (many, large)):
                users = app.config["BENCH_USERS"][number * EACH : (number + 1) * EACH]
                taken = [_timed(app, call) for call in calls_with_codes(users)]
                # The first round fills caches.
                times.setdefault(people, []).extend(taken if number else [])
    yield f"{'people':>10} {'median us':>10} {'mean us':>10}   (one reset after the other, no HTTP)"
    for people, taken in times.items():
        yield f"{people:>10} {median(taken) * 1e6:>10.0f} {mean(taken) * 1e6:>10.0f}"
    ratio = median(times[large]) / median(times[SMALL])
    yield f"{large} people cost {ratio:.2f} times {SMALL} (target: at most 1.5)"


@contextmanager
def _server(people: int, folder: Path) -> Iterator[Flask]:
    path = folder / f"{people}.sqlite3"
    fill(path, people)
    users = equip(path, people, ROUNDS * EACH)
    config = {
        "SECRET_KEY": SECRET_KEY,
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{path}",
        "RATELIMIT_ENABLED": False,
        "E2ERESET_DELIVERY": "process",
        "E2ERESET_SERVER_LOG_LEVEL": "warning",
        "BENCH_USERS": users,
    }
    with patch.dict(os.environ, E2ERESET_INSTANCE=str(folder)):
        app = create_app(config)
    yield app
    with app.app_context():
        db.engine.dispose()
    path.unlink()


def _timed(app: Flask, call: Call) -> float:
    headers = {"X-User-Id": call.user, "X-Auth-Token": call.token}
    headers |= {"x-2fa-method": "totp", "x-2fa-code": call.code}
    with app.test_client() as client:
        start = time.perf_counter()
        response = client.post(ROUTE, headers=headers)
        taken = time.perf_counter() - start
    if response.status_code != 200:
        raise RuntimeError(f"A reset was refused: {response.get_data(as_text=True)}")
    return taken
