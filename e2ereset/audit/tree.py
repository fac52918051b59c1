"""The Merkle tree of RFC 9162 section 2.1, over SHA-256, grown one leaf at a time.

What has to be kept to go on growing is the frontier alone: the hashes of the full subtrees that
the leaves so far make up, largest first, one for each 1 in the binary form of `size`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from hashlib import sha256

EMPTY_ROOT = sha256().digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf; its prefix keeps a leaf from ever passing for a node."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Tree:
    """A tree of `size` leaves, by its frontier."""

    size: int = 0
    frontier: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Put a leaf hash behind the last leaf."""
        self.frontier.append(leaf)
        full = self.size
        while full & 1:  # two subtrees of one size make the next larger
            right = self.frontier.pop()
            self.frontier[-1] = node_hash(self.frontier[-1], right)
            full >>= 1
        self.size += 1

    def root(self) -> bytes:
        """The Merkle Tree Hash of all leaves."""
        if not self.frontier:
            return EMPTY_ROOT
        return reduce(lambda right, left: node_hash(left, right), reversed(self.frontier))
