"""Ports of our own on loopback, and patience."""

import socket
import time
from contextlib import closing, contextmanager, suppress
from threading import Thread

PATIENCE = 30.0  # seconds


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
