"""The disk under the database is full for a while: 503 to what finds no room, nothing half."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.kit.aftermath import assert_all_reset
from tests.kit.live import make_live
from tests.kit.load import Load
from tests.kit.network import wait_for
from tests.kit.postgres import OWNER, make_postgres
from tests.kit.states import add_users

pytestmark = pytest.mark.slow

USERS = 160
MIB = 1024 * 1024


class Disk:
    """A small disk of its own, in memory, which a ballast can fill to the last byte."""

    def __init__(self, folder):
        self.folder, self.ballast = folder, folder / "ballast"

    @contextmanager
    def full(self):
        with self.ballast.open("wb", buffering=0) as file:
            for size in (MIB, 4096):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass
        try:
            yield
        finally:
            self.ballast.unlink()


@pytest.fixture
def make_disk():
    """Makes disks of a size in MiB. Needs root, as mounting does."""
    folder, mounted = Path(tempfile.mkdtemp()), []
    folder.chmod(0o755)

    def make(size):
        place = folder / str(len(mounted))
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", place]
        if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("no file system can be mounted here")
        mounted.append(place)
        if OWNER:
            shutil.chown(place, "postgres", "postgres")
        return Disk(place)

    yield make
    for place in mounted:
        subprocess.run(["umount", place], check=True)
    shutil.rmtree(folder)


def nothing(): ...


def suffer(live, disk, *, use_up=nothing, mend=nothing):
    """A load that begins on a full disk, and ends on one with room again."""
    with live.app() as app:
        users = add_users(app, USERS)
    load = Load(live, users)
    with disk.full():
        load.start()
        use_up()
        wait_for(lambda: len(load.unavailable) > 20, "the disk to be felt")
    mend()
    load.join()
    assert_all_reset(live, users, load)


def test_tables_that_cannot_grow(make_disk, postgres, tmp_path):
    disk = make_disk(32)
    postgres.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
    postgres.execute("CREATE DATABASE small OWNER service TABLESPACE small STRATEGY file_copy")
    try:
        with make_live(tmp_path, postgres.uri("small", "service")) as live:
            suffer(live, disk)
    finally:
        postgres.execute("DROP DATABASE small WITH (FORCE)")
        postgres.execute("DROP TABLESPACE small")


def test_a_log_of_the_database_that_cannot_grow(make_disk, tmp_path):
    disk = make_disk(160)
    sizes = ("min_wal_size=32MB", "max_wal_size=32MB", "fsync=off", "log_min_messages=fatal")
    cluster = make_postgres(disk.folder / "cluster", *sizes)
    with cluster as server, make_live(tmp_path, server.uri()) as live:
        suffer(live, disk, use_up=partial(use_up_log, server), mend=partial(mend, server))


def mend(server):
    """A server that could not even recover is started by its operator."""
    if server.process.poll() is not None:
        server.restart()


def use_up_log(server):
    """Begin new files until the disk has no room for one: the server goes down in a panic."""
    psql = ["psql", "-qX", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres"]
    begin = "SELECT pg_logical_emit_message(true, 'x', 'x'); SELECT pg_switch_wal()"
    for _ in range(20):
        if subprocess.run([*psql, "-c", begin], capture_output=True).returncode:
            return
    pytest.fail("the disk had room for twenty files")


def test_an_sqlite_file_that_cannot_grow(make_disk, tmp_path):
    disk = make_disk(16)
    with make_live(tmp_path, f"sqlite:///{disk.folder}/e2ereset.sqlite3") as live:
        suffer(live, disk)
