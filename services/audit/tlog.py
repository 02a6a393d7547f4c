"""RFC 6962 Merkle trees: hashing, growth, proofs, and verification as a stranger does it.

Pure, and nothing but the standard library: the offline verifier stands on it. Hashes are 32 raw
bytes. A node is `(level, index)`, the perfect subtree over leaves [index << level,
(index + 1) << level). A span is `(start, end)`, leaves start to end - 1, as the RFC splits them.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

Node = tuple[int, int]
Span = tuple[int, int]


class BadProof(ValueError):
    """A proof that does not prove what it should. The text is a sentence about why."""


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: all that is needed to grow it and to know its root."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """`peaks` are the roots of the perfect subtrees of `cover(0, size)`, left to right."""
        if len(peaks) != size.bit_count():
            raise ValueError("a frontier has one peak for each binary one in its size")
        self.size = size
        self.peaks = list(peaks)

    def extend(self, leaf_hashes: Iterable[bytes]) -> list[tuple[int, int, bytes]]:
        """Append leaves. The nodes above level 0 that became complete: (level, index, hash)."""
        peaks, completed = self.peaks, []
        for right in leaf_hashes:
            level, index = 0, self.size
            while index & 1:
                right = node_hash(peaks.pop(), right)
                level, index = level + 1, index >> 1
                completed.append((level, index, right))
            peaks.append(right)
            self.size += 1
        return completed

    def root(self) -> bytes:
        return fold(self.peaks) if self.peaks else EMPTY_ROOT


def cover(start: int, end: int) -> list[Node]:
    """The perfect subtrees that make up a span, left to right."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash of a span from the hashes of its cover. At least one."""
    *rest, folded = hashes
    for left in reversed(rest):
        folded = node_hash(left, folded)
    return folded


def root_at(size: int, nodes: Mapping[Node, bytes]) -> bytes:
    """The root of the first `size` leaves, from the nodes of `cover(0, size)`."""
    return fold([nodes[node] for node in cover(0, size)]) if size else EMPTY_ROOT


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The spans whose hashes prove leaf `index` in a tree of `size`, from the leaf upwards."""
    if not 0 <= index < size:
        raise ValueError("the index lies outside the tree")
    start, end, spans = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """The spans whose hashes prove that a tree of `new` begins with the tree of `old`."""
    if not 0 <= old <= new:
        raise ValueError("the old tree is larger than the new one")
    if old in (0, new):
        return []
    start, end, spans = 0, new, []
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    if start:
        spans.append((start, end))
    return spans[::-1]


def nodes_of(spans: Iterable[Span]) -> list[Node]:
    """Every node that must be fetched to hash these spans."""
    return [node for span in spans for node in cover(*span)]


def hash_spans(spans: Iterable[Span], nodes: Mapping[Node, bytes]) -> list[bytes]:
    """A proof: the hash of each span, from the nodes that `nodes_of` asked for."""
    return [fold([nodes[node] for node in cover(*span)]) for span in spans]


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Raises BadProof unless `proof` shows leaf hash `leaf` at `index` under `root`."""
    if not 0 <= index < size:
        raise BadProof(f"index {index} lies outside a tree of {size} entries")
    _check_lengths(leaf, root, *proof)
    spans = inclusion_spans(index, size)
    _check_count(proof, len(spans), "inclusion")
    computed = leaf
    for (start, _), sibling in zip(spans, proof, strict=True):
        right = start > index
        computed = node_hash(computed, sibling) if right else node_hash(sibling, computed)
    if computed != root:
        raise BadProof(f"the inclusion proof does not lead entry {index} to the signed root")


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Raises BadProof unless `proof` shows that the tree of `new` begins with that of `old`.

    Every tree begins with the empty one, whose root must be right all the same.
    """
    if not 0 <= old <= new:
        raise BadProof(f"a tree of {new} entries is smaller than the earlier one of {old}")
    _check_lengths(old_root, new_root, *proof)
    spans = consistency_spans(old, new)
    _check_count(proof, len(spans), "consistency")
    if not spans:
        _verify_trivial(old, old_root, new_root)
        return
    # Where the old tree is itself a node of the new one, the path begins with its root; elsewhere
    # it begins with the last node that both share, which is the proof's first hash.
    shared = spans[0][0] < old
    old_computed = new_computed = proof[0] if shared else old_root
    for (start, _), sibling in list(zip(spans, proof, strict=True))[shared:]:
        if start < old:
            old_computed = node_hash(sibling, old_computed)
            new_computed = node_hash(sibling, new_computed)
        else:
            new_computed = node_hash(new_computed, sibling)
    if (old_computed, new_computed) != (old_root, new_root):
        raise BadProof(f"the tree of {new} entries does not begin with the tree of {old}")


def _verify_trivial(old: int, old_root: bytes, new_root: bytes) -> None:
    if old == 0:
        if old_root != EMPTY_ROOT:
            raise BadProof("the root of the empty tree is wrong")
    elif old_root != new_root:
        raise BadProof(f"two trees of {old} entries have different roots")


def _check_count(proof: Sequence[bytes], expected: int, kind: str) -> None:
    if len(proof) != expected:
        raise BadProof(f"the {kind} proof has {len(proof)} hashes where {expected} belong")


def _check_lengths(*hashes: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise BadProof("a hash is not 32 bytes long")


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (at least 2)."""
    return 1 << ((count - 1).bit_length() - 1)
