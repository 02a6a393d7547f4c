"""P7: the tree of RFC 6962, against published vectors and a slow reading of the RFC's own text."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit import tlog
from services.audit.tlog import BadProof, Frontier

# The reference tree of the Certificate Transparency implementations: 8 leaves, its roots by size.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
A, B, C, D, E, F, G = (
    bytes.fromhex(value)
    for value in (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
    )
)
INCLUSION = [
    (0, 8, [A, B, C]),
    (5, 8, [D, E, ROOTS[4]]),
    (2, 3, [ROOTS[2]]),
    (1, 5, [ROOTS[1], B, D]),
]
CONSISTENCY = [
    (1, 1, []),
    (1, 8, [A, B, C]),
    (6, 8, [F, E, ROOTS[4]]),
    (2, 5, [B, D]),
    (6, 7, [F, G, ROOTS[4]]),
]


def grown(leaves: list[bytes]) -> tuple[Frontier, dict[tlog.Node, bytes]]:
    hashes = [tlog.leaf_hash(leaf) for leaf in leaves]
    frontier = Frontier()
    nodes = {(level, index): value for level, index, value in frontier.extend(hashes)}
    return frontier, nodes | {(0, index): value for index, value in enumerate(hashes)}


# RFC 6962 2.1, word for word: slow, recursive, and nothing of ours in it.


def mth(d: list[bytes]) -> bytes:
    if not d:
        return sha256().digest()
    if len(d) == 1:
        return sha256(b"\x00" + d[0]).digest()
    k = largest_power(len(d))
    return sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = largest_power(len(d))
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], b: bool) -> list[bytes]:
    if m == len(d):
        return [] if b else [mth(d)]
    k = largest_power(len(d))
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def largest_power(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    frontier, nodes = grown(LEAVES[:size])
    assert frontier.root() == ROOTS[size] == tlog.root_at(size, nodes)


@pytest.mark.parametrize(("index", "size", "expected"), INCLUSION)
def test_inclusion_proofs_are_the_published_ones(
    index: int, size: int, expected: list[bytes]
) -> None:
    _, nodes = grown(LEAVES[:size])
    proof = tlog.hash_spans(tlog.inclusion_spans(index, size), nodes)
    assert proof == expected
    tlog.verify_inclusion(index, size, tlog.leaf_hash(LEAVES[index]), proof, ROOTS[size])


@pytest.mark.parametrize(("old", "new", "expected"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(
    old: int, new: int, expected: list[bytes]
) -> None:
    _, nodes = grown(LEAVES[:new])
    proof = tlog.hash_spans(tlog.consistency_spans(old, new), nodes)
    assert proof == expected
    tlog.verify_consistency(old, new, ROOTS[old], ROOTS[new], proof)


def test_every_proof_of_every_small_tree_is_what_the_rfc_says() -> None:
    leaves = [bytes([index]) for index in range(40)]
    _, nodes = grown(leaves)
    roots = [mth(leaves[:size]) for size in range(41)]
    for size in range(1, 41):
        d = leaves[:size]
        assert tlog.root_at(size, nodes) == roots[size]
        for index in range(size):
            proof = tlog.hash_spans(tlog.inclusion_spans(index, size), nodes)
            assert proof == path(index, d)
            tlog.verify_inclusion(index, size, tlog.leaf_hash(d[index]), proof, roots[size])
        for old in range(1, size + 1):
            proof = tlog.hash_spans(tlog.consistency_spans(old, size), nodes)
            assert proof == subproof(old, d, True)
            tlog.verify_consistency(old, size, roots[old], roots[size], proof)


BIG = [index.to_bytes(2, "big") for index in range(400)]
BIG_NODES = grown(BIG)[1]


def root(size: int) -> bytes:
    return tlog.root_at(size, BIG_NODES)


@given(st.data())
def test_any_tree_of_hundreds_grows_in_any_batches_to_the_rfcs_root(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 400))
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=6)))
    frontier = Frontier()
    for start, end in zip([0, *cuts], [*cuts, size], strict=True):
        frontier = Frontier(frontier.size, frontier.peaks)
        frontier.extend(tlog.leaf_hash(leaf) for leaf in BIG[start:end])
    assert (frontier.size, frontier.root()) == (size, mth(BIG[:size]))


@given(st.data())
def test_proofs_of_trees_of_hundreds_verify_and_no_changed_one_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 400))
    index = data.draw(st.integers(0, size - 1))
    proof = tlog.hash_spans(tlog.inclusion_spans(index, size), BIG_NODES)
    leaf = tlog.leaf_hash(BIG[index])
    tlog.verify_inclusion(index, size, leaf, proof, root(size))
    for wrong in spoiled(data, proof):
        with pytest.raises(BadProof):
            tlog.verify_inclusion(index, size, leaf, wrong, root(size))
    other = data.draw(st.integers(0, 399).filter(lambda each: each != index))
    with pytest.raises(BadProof):
        tlog.verify_inclusion(index, size, tlog.leaf_hash(BIG[other]), proof, root(size))
    with pytest.raises(BadProof):
        tlog.verify_inclusion(other, size, leaf, proof, root(size))


@given(st.data())
def test_consistency_of_trees_of_hundreds_verifies_and_no_changed_one_does(
    data: st.DataObject,
) -> None:
    new = data.draw(st.integers(1, 400))
    old = data.draw(st.integers(0, new))
    proof = tlog.hash_spans(tlog.consistency_spans(old, new), BIG_NODES)
    tlog.verify_consistency(old, new, root(old), root(new), proof)
    for wrong in spoiled(data, proof):
        with pytest.raises(BadProof):
            tlog.verify_consistency(old, new, root(old), root(new), wrong)
    fork = tlog.leaf_hash(b"another tree")
    with pytest.raises(BadProof):
        tlog.verify_consistency(old, new, fork, root(new), proof)
    if old:
        with pytest.raises(BadProof):
            tlog.verify_consistency(old, new, root(old), fork, proof)


def spoiled(data: st.DataObject, proof: list[bytes]) -> list[list[bytes]]:
    wrong = [[*proof, sha256(b"extra").digest()], [b"short", *proof]]
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(proof[place], "big") ^ (1 << bit)).to_bytes(32, "big")
        wrong += [proof[:-1], [*proof[:place], flipped, *proof[place + 1 :]]]
    return wrong


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 4), (4, 4), (2**63, 2**63)])
def test_an_index_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(BadProof):
        tlog.verify_inclusion(index, size, ROOTS[1], [], ROOTS[1])


def test_a_tree_never_shrinks_and_two_of_one_size_are_one() -> None:
    with pytest.raises(BadProof, match="smaller"):
        tlog.verify_consistency(8, 7, ROOTS[8], ROOTS[7], [])
    with pytest.raises(BadProof, match="different roots"):
        tlog.verify_consistency(8, 8, ROOTS[8], ROOTS[7], [])
    with pytest.raises(BadProof, match="empty tree"):
        tlog.verify_consistency(0, 8, ROOTS[1], ROOTS[8], [])


def test_a_frontier_refuses_peaks_that_do_not_fit_its_size() -> None:
    with pytest.raises(ValueError, match="peak"):
        Frontier(3, [ROOTS[1]])
