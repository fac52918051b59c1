from hashlib import sha256

from e2ereset.audit.tree import Tree, inclusion_proof, leaf_hash

# The leaves that certificate-transparency implementations share as test vectors.
VECTORS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
VECTORS += ["606162636465666768696a6b6c6d6e6f"]
ROOT_OF_8 = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def halves(entries: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Split as RFC 9162 section 2.1 splits: the first has the largest smaller power of two."""
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return entries[:k], entries[k:]


def by_the_book(entries: list[bytes]) -> bytes:
    """MTH as RFC 9162 section 2.1.1 defines it, by recursion."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    left, right = halves(entries)
    return sha256(b"\1" + by_the_book(left) + by_the_book(right)).digest()


def path_by_the_book(m: int, entries: list[bytes]) -> list[bytes]:
    """PATH as RFC 9162 section 2.1.3.1 defines it, by recursion."""
    if len(entries) == 1:
        return []
    left, right = halves(entries)
    if m < len(left):
        return [*path_by_the_book(m, left), by_the_book(right)]
    return [*path_by_the_book(m - len(left), right), by_the_book(left)]


def grown(entries: list[bytes]) -> Tree:
    tree = Tree()
    tree.extend(map(leaf_hash, entries))
    return tree


def test_the_shared_vectors_have_their_root_and_proof():
    entries = [bytes.fromhex(leaf) for leaf in VECTORS]
    assert grown(entries).root().hex() == ROOT_OF_8
    assert [node.hex() for node in inclusion_proof(Tree(), [*map(leaf_hash, entries)], 5)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_every_size_up_to_200_is_by_the_book():
    entries = [str(n).encode() for n in range(200)]
    tree = Tree()
    for size, entry in enumerate(entries):
        assert tree.root() == by_the_book(entries[:size])
        tree.append(leaf_hash(entry))


def test_every_proof_in_trees_up_to_40_is_by_the_book():
    entries = [str(n).encode() for n in range(40)]
    for size in range(1, 41):
        for start in range(size):
            before, leaves = grown(entries[:start]), [leaf_hash(e) for e in entries[start:size]]
            for position in {start, (start + size) // 2, size - 1}:
                proof = inclusion_proof(before, leaves, position)
                assert proof == path_by_the_book(position, entries[:size])
