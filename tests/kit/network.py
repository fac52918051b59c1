"""Ports of our own on loopback, and patience."""

import socket
import time
from contextlib import closing, suppress

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


def wait_for(condition, what, patience=PATIENCE):
    """What the condition gives once it is true; fails loudly when it never is."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {patience:g} s in vain for {what}"
        time.sleep(0.02)
    return found
