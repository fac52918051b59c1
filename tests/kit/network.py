"""Ports of our own on loopback, and patience."""

import socket
import time
from contextlib import closing, contextmanager, suppress
from itertools import cycle
from random import SystemRandom
from threading import Thread

PATIENCE = 30.0  # seconds
# Systems take the ports of outgoing connections from above, so that none takes one of these before
# its server listens. Not by the seed of `random`, which all processes of a test run share.
PORTS = cycle(SystemRandom().sample(range(20_000, 32_768), 12_768))


def free_port():
    """A port of loopback that is nobody's, nor soon: each call gives another."""
    return next(filter(_is_free, PORTS))


def _is_free(port):
    with closing(socket.socket()) as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def listens(port, address="127.0.0.1"):
    """Whether somebody listens there."""
    with suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False


@contextmanager
def serving(server):
    """A server of `socketserver` serves in a thread until the end of the block."""
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wait_for(condition, what, patience=PATIENCE):
    """What the condition gives once it is true; fails loudly when it never is."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {patience:g} s in vain for {what}"
        time.sleep(0.02)
    return found
