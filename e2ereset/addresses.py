"""IP addresses of callers: read from what a proxy or a host wrote, and grouped to be counted."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::[0-9]{0,5})?|([0-9.]+):[0-9]{0,5}", re.ASCII)


def read_address(text: object) -> str:
    """The IP address in `text`, in its shortest form; "" if the text is no address.

    A port that a proxy added, quotes, and the zone of an IPv6 address are removed. An IPv4 address
    that is written as IPv6 (`::ffff:192.0.2.7`) is returned as IPv4.
    """
    return str(_parsed(text) or "") if isinstance(text, str) else ""


def network_of(address: str, prefix: int = 64) -> str:
    """The key that a caller is counted by: an IPv4 address, or the network of an IPv6 address.

    `prefix` is the length of that network in bits. Who has one address of such a network can use
    all of them. "" if the text is no address.
    """
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((int(found), prefix), strict=False))
    return str(found or "")


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
