"""The Merkle tree of RFC 9162 section 2.1, over SHA-256, grown one leaf at a time.

What has to be kept to go on growing is the frontier alone: the hashes of the full subtrees that
the leaves so far make up, largest first, one for each 1 in the binary form of `size`.
"""

from collections.abc import Iterable, Sequence
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

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Put leaf hashes behind the last leaf."""
        for leaf in leaves:
            self.append(leaf)

    def copy(self) -> "Tree":
        """A tree of the same leaves, to grow on its own."""
        return Tree(self.size, [*self.frontier])

    def root(self) -> bytes:
        """The Merkle Tree Hash of all leaves."""
        if not self.frontier:
            return EMPTY_ROOT
        return reduce(lambda right, left: node_hash(left, right), reversed(self.frontier))


def inclusion_proof(before: Tree, leaves: Sequence[bytes], position: int) -> list[bytes]:
    """The proof (RFC 9162 section 2.1.3.1) of the leaf at `position`, lowest node first.

    The tree is `before` with the leaf hashes `leaves` behind it; `position` is among those.
    """
    known = _subtrees(before) | {
        (place, place + 1): leaf for place, leaf in enumerate(leaves, before.size)
    }

    def node(start: int, stop: int) -> bytes:
        """The hash over the leaves from `start` on, before `stop`."""
        if (start, stop) in known:
            return known[start, stop]
        middle = _middle(start, stop)
        return node_hash(node(start, middle), node(middle, stop))

    def proof(start: int, stop: int) -> list[bytes]:
        """The proof within the subtree over these leaves."""
        if stop - start == 1:
            return []
        middle = _middle(start, stop)
        if position < middle:
            return [*proof(start, middle), node(middle, stop)]
        return [*proof(middle, stop), node(start, middle)]

    return proof(0, before.size + len(leaves))


def _subtrees(tree: Tree) -> dict[tuple[int, int], bytes]:
    """The hashes in the frontier, by the leaves that they stand for."""
    found, stop = {}, tree.size
    for node in reversed(tree.frontier):
        start = stop & (stop - 1)  # the smallest full subtree is the lowest 1 of what is left
        found[start, stop] = node
        stop = start
    return found


def _middle(start: int, stop: int) -> int:
    """Where leaves are split: behind the largest power of two that is less than their number."""
    return start + (1 << (stop - start - 1).bit_length() - 1)
