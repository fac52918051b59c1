from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from e2ereset.audit.tree import Tree, inclusion_proof, leaf_hash, node_hash

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


def grown(entries: list[bytes]) -> Tree:
    tree = Tree()
    tree.extend(map(leaf_hash, entries))
    return tree


def test_empty_tree_is_the_hash_of_nothing():
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Tree().root().hex() == empty


def test_one_leaf_is_its_own_root():
    assert grown([b"a"]).root() == sha256(b"\0a").digest()


def test_a_leaf_cannot_pass_for_a_node():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


def test_shared_vector_of_eight_leaves():
    assert grown([bytes.fromhex(leaf) for leaf in VECTORS]).root().hex() == ROOT_OF_8


def test_every_size_up_to_200_is_by_the_book():
    entries = [str(n).encode() for n in range(200)]
    tree = Tree()
    for size, entry in enumerate(entries):
        assert tree.root() == by_the_book(entries[:size])
        tree.append(leaf_hash(entry))


@given(st.lists(st.binary(max_size=40), max_size=200), st.data())
def test_batches_of_any_split_grow_one_tree(entries, data):
    split = data.draw(st.integers(0, len(entries)))
    first = grown(entries[:split])
    second = Tree(first.size, list(first.frontier))
    second.extend(map(leaf_hash, entries[split:]))
    assert second.root() == by_the_book(entries)


@given(st.integers(0, 300))
def test_frontier_has_one_hash_for_each_one_in_the_size(size):
    assert len(grown([b""] * size).frontier) == size.bit_count()


def path_by_the_book(m: int, entries: list[bytes]) -> list[bytes]:
    """PATH as RFC 9162 section 2.1.3.1 defines it, by recursion."""
    if len(entries) == 1:
        return []
    left, right = halves(entries)
    if m < len(left):
        return [*path_by_the_book(m, left), by_the_book(right)]
    return [*path_by_the_book(m - len(left), right), by_the_book(left)]


def test_shared_vector_of_an_inclusion_proof():
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in VECTORS]
    assert [node.hex() for node in inclusion_proof(Tree(), leaves, 5)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_every_proof_in_trees_up_to_40_is_by_the_book():
    entries = [str(n).encode() for n in range(40)]
    for size in range(1, 41):
        for start in range(size):
            before, leaves = grown(entries[:start]), [leaf_hash(e) for e in entries[start:size]]
            for position in {start, (start + size) // 2, size - 1}:
                proof = inclusion_proof(before, leaves, position)
                assert proof == path_by_the_book(position, entries[:size])


@given(st.integers(0, 3000), st.data())
def test_a_proof_behind_a_frontier_is_the_proof_in_the_whole_tree(size, data):
    entries = [str(n).encode() for n in range(size + 1)]
    start = data.draw(st.integers(0, size))
    position = data.draw(st.integers(start, size))
    leaves = [leaf_hash(entry) for entry in entries]
    proof = inclusion_proof(grown(entries[:start]), leaves[start:], position)
    assert proof == inclusion_proof(Tree(), leaves, position)
