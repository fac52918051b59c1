"""A real Redis of our own on loopback, with Debian's binary, which keeps nothing on disk."""

from contextlib import suppress
from pathlib import Path

from redis import Redis as Client
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as NoConnection

from tests.kit.network import free_port
from tests.kit.program import Program

BINARY = "/usr/bin/redis-server"
FACTS = ("--save", "", "--appendonly", "no", "--daemonize", "no", "--protected-mode", "no")


class Redis(Program):
    """One server, whose address and port stay the same from start to start."""

    def __init__(self, folder, address="127.0.0.1", options=()):
        self.address, self.port = address, free_port()
        command = [BINARY, *FACTS, "--bind", address, "--port", str(self.port), "--dir", folder]
        command += options
        super().__init__(command, Path(folder) / "redis.log", ready=self.answers)

    @property
    def uri(self):
        return f"redis://{self.address}:{self.port}/0"

    def answers(self):
        with Client(host=self.address, port=self.port) as client, suppress(NoConnection):
            try:
                return client.ping()
            except AuthenticationError:  # it wants a password, so it serves
                return True
        return False


def make_redis(folder):
    """A server until the end of the block."""
    return Redis(folder).running()
