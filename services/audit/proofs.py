"""C2SP tlog-proofs (c2sp.org/tlog-proof): an inclusion proof and its checkpoint as one text.

Pure. `verify_proof` is what a stranger runs who holds the leaf, the proof and the log's key.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.note import (
    MAX_NOTE_BYTES,
    BadNote,
    Checkpoint,
    PublicKey,
    decode_base64,
    encode_base64,
    open_checkpoint,
)
from services.audit.tlog import HASH_BYTES, BadProof, leaf_hash, verify_inclusion

MAX_PROOF_BYTES = MAX_NOTE_BYTES + 8 * 1024
_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True)
class Proof:
    """A parsed proof; nobody has verified it."""

    index: int
    hashes: tuple[bytes, ...]
    note: str


def format_proof(index: int, hashes: Sequence[bytes], note: str) -> str:
    """`note` is the signed checkpoint, verbatim."""
    lines = [_HEADER, f"index {index}", *(encode_base64(each) for each in hashes), "", note]
    return "\n".join(lines)


def parse_proof(data: bytes) -> Proof:
    """Raises BadProof. An `extra` line is passed over: nothing vouches for it."""
    if len(data) > MAX_PROOF_BYTES:
        raise BadProof(f"the proof is longer than {MAX_PROOF_BYTES} bytes")
    try:
        top, blank, note = data.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise BadProof("the proof is not UTF-8 text") from None
    header, *lines = top.split("\n")
    if header != _HEADER or not blank:
        raise BadProof("it is not a tlog-proof: its first line or its blank line is missing")
    if lines and lines[0].startswith("extra "):
        lines = lines[1:]
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if index is None:
        raise BadProof("the proof does not say the index of its entry")
    return Proof(int(index[1]), tuple(_hash(line) for line in lines[1:]), note)


def verify_proof(data: bytes, leaf: bytes, keys: Sequence[PublicKey]) -> tuple[int, Checkpoint]:
    """The index at which the log of `keys` holds `leaf`, and the checkpoint that vouches for it.

    Raises BadProof with the reason.
    """
    proof = parse_proof(data)
    try:
        checkpoint = open_checkpoint(proof.note.encode(), keys)
    except BadNote as error:
        raise BadProof(f"the proof's checkpoint cannot be used: {error}") from None
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(leaf), proof.hashes, checkpoint.root)
    return proof.index, checkpoint


def _hash(line: str) -> bytes:
    try:
        raw = decode_base64(line)
    except BadNote:
        raise BadProof("a line of the proof is not a hash in base64") from None
    if len(raw) != HASH_BYTES:
        raise BadProof("a hash of the proof is not 32 bytes long")
    return raw
