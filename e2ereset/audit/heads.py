"""Signed heads: the root of the tree over the first `size` rows, and the mark of the newest.

A head's digest is keyed and covers all its columns. The mark stands in the sealer's row and is a
keyed digest of the newest head's digest: an older head, still whole and signed, can not pass for
the newest one after the end of the log was cut off, heads and all.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, func, select

from e2ereset.crypto import KeyRing
from e2ereset.models import AuditHead, table

from .rows import AUDIT, holds
from .tree import Tree

HEAD = table(AuditHead)
NEWEST = select(HEAD).order_by(HEAD.c.size.desc()).limit(1)
LARGEST = select(func.coalesce(func.max(HEAD.c.size), 0)).scalar_subquery()
# One statement, because a sealer may be at work: rows and their head become visible together.
BEYOND = select(func.count(), func.min(AUDIT.c.position)).where(AUDIT.c.position >= LARGEST)


def make_head(keys: KeyRing, tree: Tree, at: int) -> dict[str, Any]:
    """The columns of a signed head of the tree; `at` in epoch seconds."""
    root = tree.root().hex()
    frontier = json.dumps([node.hex() for node in tree.frontier])
    digest = keys.digest("audit head", str(tree.size), root, frontier, str(at))
    return {"size": tree.size, "root": root, "frontier": frontier, "at": at, "digest": digest}


def is_signed(keys: KeyRing, head: Row[Any]) -> bool:
    """True when the head carries our digest of all that it says."""
    parts = (head.size, head.root, head.frontier, head.at)
    return holds(keys, head.digest, "audit head", *parts)


def tree_of(head: Row[Any]) -> Tree:
    """The tree that goes on behind this head, which must be signed."""
    return Tree(head.size, [bytes.fromhex(node) for node in json.loads(head.frontier)])


def make_mark(keys: KeyRing, head_digest: str) -> str:
    """The mark of the head with this digest."""
    return keys.digest("audit mark", head_digest)


def is_marked(keys: KeyRing, mark: str | None, head_digest: str | None) -> bool:
    """True when the mark is that of the head. No head goes with an empty or absent mark."""
    if head_digest is None:
        return not mark
    return holds(keys, mark, "audit mark", head_digest)
