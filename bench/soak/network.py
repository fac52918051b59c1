"""Where the hosts live: a network namespace each, or two ports of the loopback."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

HOSTS = 2
SUBNET = f"198.18.{os.getpid() % 256}"  # for benchmarks (RFC 2544): no network is numbered so


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host runs: the words before its commands, and its address."""

    prefix: tuple[str, ...]
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The hosts' places, and the address at which they reach what they share."""

    words: str
    shared: str
    places: tuple[Place, ...]


@contextmanager
def make_network() -> Iterator[Network]:
    """Namespaces joined by a bridge where we may make them; they are gone after the block."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        yield _loopback()
        return
    with ExitStack() as stack:
        try:
            network = _bridged(stack)
        except subprocess.CalledProcessError:
            stack.close()
            network = _loopback()
        yield network


def _loopback() -> Network:
    places = (Place((), "127.0.0.1"),) * HOSTS
    return Network(words="two ports of the loopback", shared="127.0.0.1", places=places)


def _bridged(stack: ExitStack) -> Network:
    bridge, shared = f"soak{os.getpid()}", f"{SUBNET}.1"
    _make(stack, ["link", "add", bridge, "type", "bridge"], ["link", "del", bridge])
    _ip("addr", "add", f"{shared}/24", "dev", bridge)
    _ip("link", "set", bridge, "up")
    places = tuple(_add_host(stack, bridge, number) for number in range(HOSTS))
    return Network(words="two network namespaces on a bridge", shared=shared, places=places)


def _add_host(stack: ExitStack, bridge: str, number: int) -> Place:
    name, address = f"{bridge}h{number}", f"{SUBNET}.{number + 2}"
    _make(stack, ["netns", "add", name], ["netns", "del", name])
    outside = f"v{os.getpid()}n{number}"
    _ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("link", "set", outside, "master", bridge, "up")
    for words in (f"addr add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
        _ip("-n", name, *words.split())
    return Place(("ip", "netns", "exec", name), address)


def _make(stack: ExitStack, make: list[str], drop: list[str]) -> None:
    _ip(*make)
    stack.callback(subprocess.run, ["ip", *drop], check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
