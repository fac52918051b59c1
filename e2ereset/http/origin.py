"""Where a request comes from, fit to be counted, stored and mailed."""

from __future__ import annotations

from flask import request

from e2ereset.addresses import network_of, read_address
from e2ereset.agents import read_agent


def caller_address() -> str:
    """The caller's IP address; that of the proxy where what it wrote is none; else ""."""
    behind = request.environ.get("werkzeug.proxy_fix.orig") or {}
    return read_address(request.remote_addr) or read_address(behind.get("REMOTE_ADDR"))


def caller_network(ipv6_prefix: int) -> str:
    """What this request is counted by: `addresses.network_of` with E2ERESET_IPV6_PREFIX."""
    return network_of(caller_address(), ipv6_prefix)


def origin() -> tuple[str, str]:
    """Where the request came from: its address and its program, fit to be stored and mailed."""
    return caller_address(), read_agent(request.headers.get("User-Agent", ""))
