"""Where callers are: the address in what a proxy or a host wrote, and what it is counted by."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::[0-9]{0,5})?|([0-9.]+):[0-9]{0,5}", re.ASCII)


def read_address(text: object) -> str:
    """The one IP address that `text` is, in its shortest form; "" when it is none.

    A port that a proxy added is cut off, and so are quotes and the zone of an IPv6 address. An IPv4
    address that is written as an IPv6 one (`::ffff:192.0.2.7`) is the IPv4 address.
    """
    found = _parsed(text) if isinstance(text, str) else None
    return "" if found is None else str(found)


def network_of(address: str, prefix: int = 64) -> str:
    """What callers are counted by: an IPv4 address as it is, the network of an IPv6 one.

    `prefix` is the length of that network in bits: whoever has one address of a network may have
    all of them. "" for what is no address.
    """
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((int(found), prefix), strict=False))
    return "" if found is None else str(found)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    bare = text.strip(' \t"')
    ported = WITH_PORT.fullmatch(bare)
    if ported:
        bare = ported[1] or ported[2] or ""
    try:
        found = ip_address(bare.partition("%")[0] if ":" in bare else bare)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
