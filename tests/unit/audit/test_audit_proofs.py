"""tlog-proofs: small, complete, and worth nothing once anything in them is changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit import tlog
from services.audit.proofs import format_proof, parse_proof, verify_proof
from services.audit.tlog import BadProof, Frontier
from tests.support.audit import ORIGIN, leaf, log_of, signer

SIZE = 300
LOG = log_of(SIZE)
KEYS = [signer(1).public]
HASHES = [tlog.leaf_hash(each) for each in LOG.leaves]
NODES = {(level, index): value for level, index, value in Frontier().extend(HASHES)} | {
    (0, index): value for index, value in enumerate(HASHES)
}
NOTE = LOG.note(SIZE)


def proof(index: int) -> bytes:
    hashes = tlog.hash_spans(tlog.inclusion_spans(index, SIZE), NODES)
    return format_proof(index, hashes, NOTE).encode()


def test_it_is_the_text_that_c2sp_describes() -> None:
    lines = proof(7).decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 7"]
    blank = lines.index("")
    assert all(len(line) == 44 for line in lines[2:blank])
    assert "\n".join(lines[blank + 1 :]) == NOTE


@given(st.integers(0, SIZE - 1))
def test_every_entry_has_a_proof_under_two_kilobytes_that_verifies(index: int) -> None:
    found, checkpoint = verify_proof(proof(index), leaf(index), KEYS)
    assert (found, checkpoint.size, checkpoint.origin) == (index, SIZE, ORIGIN)
    assert len(proof(index)) < 2048


@settings(max_examples=300)
@given(st.integers(0, SIZE - 1), st.data())
def test_no_bit_of_a_proof_can_be_flipped(index: int, data: st.DataObject) -> None:
    spoiled = bytearray(proof(index))
    bit = data.draw(st.integers(0, len(spoiled) * 8 - 1))
    spoiled[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadProof):
        verify_proof(bytes(spoiled), leaf(index), KEYS)


def test_a_proof_of_another_entry_or_another_key_is_refused() -> None:
    with pytest.raises(BadProof, match="does not lead entry 7"):
        verify_proof(proof(7), leaf(8), KEYS)
    with pytest.raises(BadProof, match="none of the keys"):
        verify_proof(proof(7), leaf(7), [signer(2).public])


def test_the_extra_line_is_passed_over() -> None:
    header, rest = proof(7).decode().split("\n", 1)
    verify_proof(f"{header}\nextra aGVsbG8=\n{rest}".encode(), leaf(7), KEYS)


@given(st.binary(max_size=400))
def test_nothing_but_badproof_comes_of_anything(data: bytes) -> None:
    for attempt in (data, b"c2sp.org/tlog-proof@v1\n" + data, proof(3)[: len(data)] + data):
        with pytest.raises(BadProof):
            verify_proof(attempt, leaf(3), KEYS)


def test_an_endless_proof_is_not_read() -> None:
    with pytest.raises(BadProof, match="longer than"):
        parse_proof(b"c2sp.org/tlog-proof@v1\n" + b"A" * 10_000_000)
