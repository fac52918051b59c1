"""Compares two public keys by thumbprint, as one key can be written in many ways (RFC 7638)."""

import hashlib
import json
from typing import Any

REQUIRED = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}
"""The members of each kind of key that are digested, in this order (RFC 7638 3.2, 8037 2)."""


def is_same_key(one: str, other: str) -> bool:
    """Whether both texts are one public key: by thumbprint if both are JWKs, else as texts."""
    if one == other:
        return True
    prints = thumbprint(one), thumbprint(other)
    return None not in prints and prints[0] == prints[1]


def thumbprint(text: str) -> str | None:
    """The hex SHA-256 thumbprint of a JWK; None for any other text, and for an ambiguous JWK."""
    try:
        jwk = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    kind = jwk.get("kty") if isinstance(jwk, dict) else None
    names = REQUIRED.get(kind) if isinstance(kind, str) else None
    if names is None or not all(isinstance(jwk.get(name), str) and jwk[name] for name in names):
        return None
    canonical = json.dumps({name: jwk[name] for name in names}, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member appears twice: readers may differ on which one counts")
    return found
