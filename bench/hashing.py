"""What the cores can do at most: nothing but `bcrypt.checkpw`, in a process for each core."""

import hashlib
import multiprocessing
import os
import time
from pathlib import Path
from statistics import median

import bcrypt

from e2ereset.server.people.password_hashing import PasswordHasher

from .gunicorn import Server
from .load import Load
from .rows import Measured

CORES = os.cpu_count() or 1
PASSWORD = "the password of everybody"


class Bound:
    """The row of it, at the cost that is the server's default."""

    name = "bcrypt alone"
    server: Server | None = None

    def __init__(self) -> None:
        self.stored = PasswordHasher().hash(PASSWORD)

    def run(self, seconds: int, _folder: Path) -> Measured:
        """Compare the password for so long; what does not end in time does not count."""
        began = os.times()
        with multiprocessing.get_context("fork").Pool(CORES) as pool:
            taken = [t for one in pool.map(self._check, [seconds] * CORES) for t in one]
            pool.close()
            pool.join()
        ended = os.times()
        used = ended.children_user + ended.children_system
        used -= began.children_user + began.children_system
        p50 = median(taken) * 1000 if taken else 0.0
        p99 = max(taken, default=0.0) * 1000
        load = Load(right=len(taken), wrong=0, seconds=seconds, p50=p50, p99=p99)
        return Measured(load=load, cpu=used * 1e6 / max(1, len(taken)))

    def _check(self, seconds: int) -> list[float]:
        digest = hashlib.sha256(PASSWORD.encode()).hexdigest().encode()
        began, taken = time.perf_counter(), list[float]()
        while True:
            start = time.perf_counter()
            bcrypt.checkpw(digest, self.stored.encode())
            now = time.perf_counter()
            if now - began > seconds:
                return taken
            taken.append(now - start)
