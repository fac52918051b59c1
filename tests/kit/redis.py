"""A real Redis of our own on loopback, with Debian's binary, which keeps nothing on disk."""

import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

from redis import Redis as Client
from redis.exceptions import ConnectionError as NoConnection

from tests.kit.network import free_port, wait_for

BINARY = "/usr/bin/redis-server"
FACTS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no")


class Redis:
    """One server, whose port stays the same from start to start."""

    def __init__(self, folder):
        self.folder, self.port, self.process = Path(folder), free_port(), None
        self.log = self.folder / "redis.log"

    @property
    def uri(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        """Serve, and wait until it answers."""
        command = [BINARY, *FACTS, "--port", str(self.port), "--dir", str(self.folder)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.answers, f"Redis to answer, see {self.log}")

    def answers(self):
        assert self.process.poll() is None, self.log.read_text()
        with Client(port=self.port) as client, suppress(NoConnection):
            return client.ping()
        return False

    def stop(self, how=signal.SIGTERM):
        if self.process is not None:
            process, self.process = self.process, None
            with suppress(ProcessLookupError):
                process.send_signal(how)
            process.wait(30)

    def kill(self):
        self.stop(signal.SIGKILL)

    @contextmanager
    def frozen(self):
        """It takes connections and never answers."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def make_redis(folder):
    """A server until the end of the block."""
    server = Redis(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
