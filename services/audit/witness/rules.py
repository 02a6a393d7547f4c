"""What a witness cosigns: only a tree that begins with the last one it cosigned.

Pure (c2sp.org/tlog-witness, add-checkpoint). The bytes come from anybody who can reach the port.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.audit.note import (
    BadNote,
    Checkpoint,
    Note,
    PublicKey,
    decode_base64,
    encode_base64,
    open_note,
    parse_checkpoint,
    parse_note,
)
from services.audit.tlog import EMPTY_ROOT, BadProof, verify_consistency

MAX_PROOF_LINES = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")

Keys = Mapping[str, Sequence[PublicKey]]
"""The keys of every log that is witnessed, by origin."""


@dataclass(frozen=True)
class Request:
    """A parsed request; nobody has verified it."""

    old: int
    proof: tuple[bytes, ...]
    note: str


@dataclass(frozen=True)
class Cosign:
    """It grew consistently: persist it, then cosign it."""

    checkpoint: Checkpoint
    text: str
    note: str


@dataclass(frozen=True)
class Malformed:
    """400: not a request of this protocol."""

    why: str


@dataclass(frozen=True)
class UnknownLog:
    """404: nobody asked this witness to watch that log."""


@dataclass(frozen=True)
class Unsigned:
    """403: none of the log's keys has signed it."""

    why: str


@dataclass(frozen=True)
class OldSize:
    """409: the witness's last tree has another size than the request builds on."""

    size: int


@dataclass(frozen=True)
class Fork:
    """409: the log signed two different trees of one size. This is proof, whoever sent it."""

    size: int


@dataclass(frozen=True)
class Unproven:
    """422: the proof does not show that the tree grew. Anybody may have spoilt the proof, so
    this alone accuses nobody."""

    why: str


Judgement = Cosign | Malformed | UnknownLog | Unsigned | OldSize | Fork | Unproven


def parse_request(body: bytes) -> Request:
    """Raises BadNote."""
    try:
        top, blank, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise BadNote("the request is not UTF-8 text") from None
    first, *lines = top.split("\n")
    old = _OLD.fullmatch(first)
    if old is None or not blank:
        raise BadNote("its old size line or its empty line is missing")
    if len(lines) > MAX_PROOF_LINES:
        raise BadNote(f"it has more than {MAX_PROOF_LINES} proof lines")
    return Request(int(old[1]), tuple(decode_base64(line) for line in lines), note)


def format_request(old: int, proof: Sequence[bytes], note: str) -> str:
    """The body of add-checkpoint; also how the log itself answers for a consistency proof."""
    return "\n".join([f"old {old}", *(encode_base64(each) for each in proof), "", note])


def judge(body: bytes, keys: Keys, last: Mapping[str, Checkpoint]) -> Judgement:
    """`last`: the latest checkpoint that was cosigned of each origin."""
    try:
        request = parse_request(body)
        checkpoint = parse_checkpoint(parse_note(request.note.encode()).text)
    except BadNote as error:
        return Malformed(str(error))
    trusted = keys.get(checkpoint.origin)
    if trusted is None:
        return UnknownLog()
    try:
        note, _ = open_note(request.note.encode(), trusted)
    except BadNote as error:
        return Unsigned(str(error))
    return _grown(request, checkpoint, note, last.get(checkpoint.origin))


def _grown(
    request: Request, checkpoint: Checkpoint, note: Note, last: Checkpoint | None
) -> Judgement:
    known = 0 if last is None else last.size
    if request.old > checkpoint.size:
        return Malformed("its old size is larger than its checkpoint")
    if request.old != known:
        return OldSize(known)
    if last is not None and known == checkpoint.size and last.root != checkpoint.root:
        return Fork(known)
    root = EMPTY_ROOT if last is None else last.root
    try:
        verify_consistency(known, checkpoint.size, root, checkpoint.root, request.proof)
    except BadProof as error:
        return Unproven(str(error))
    return Cosign(checkpoint, note.text, request.note)
