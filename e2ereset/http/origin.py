"""The address and the program of the caller, in forms that can be counted, stored and mailed."""

from flask import request

from e2ereset.addresses import network_of, read_address
from e2ereset.agents import read_agent


def caller_address() -> str:
    """The caller's IP address; the proxy's, if the proxy wrote an invalid one; else ""."""
    behind = request.environ.get("werkzeug.proxy_fix.orig") or {}
    return read_address(request.remote_addr) or read_address(behind.get("REMOTE_ADDR"))


def caller_network(ipv6_prefix: int) -> str:
    """The key that callers are counted by: `addresses.network_of` of the caller's address."""
    return network_of(caller_address(), ipv6_prefix)


def origin() -> tuple[str, str]:
    """The caller's address and program, as they are stored and mailed."""
    return caller_address(), read_agent(request.headers.get("User-Agent", ""))
