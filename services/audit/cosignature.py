"""C2SP cosignatures (c2sp.org/tlog-cosignature, Ed25519): what a witness says of a checkpoint.

A cosignature says: at this time, this was the largest tree I had seen of this log, and it begins
with every tree of it that I had seen before. Pure, and nothing but the standard library and the
signature check.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.audit.note import BadNote, Note, Signature, decode_base64, encode_base64, parse_note

_COSIGNATURE = b"\x04"
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_LENGTH = 8 + 64


@dataclass(frozen=True)
class WitnessKey:
    """A witness's Ed25519 public key (32 raw bytes) under its name."""

    name: str
    raw: bytes

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + _COSIGNATURE + self.raw).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as one line of text. Its type (4) keeps it apart from a log's own key."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(_COSIGNATURE + self.raw)}"

    def time_of(self, text: str, signature: bytes) -> int | None:
        """When the note `text` was cosigned (POSIX seconds); None when this is no cosignature."""
        if len(signature) != _LENGTH:
            return None
        time = int.from_bytes(signature[:8], "big")
        try:
            key = Ed25519PublicKey.from_public_bytes(self.raw)
            key.verify(signature[8:], _message(text, time))
        except (InvalidSignature, ValueError):
            return None
        return time


def parse_witness_vkey(vkey: str) -> WitnessKey:
    """Raises BadNote."""
    try:
        name, key_id, encoded = vkey.strip().split("+", 2)
    except ValueError:
        raise BadNote("a witness's key is not of the form name+id+base64") from None
    raw = decode_base64(encoded)
    if raw[:1] != _COSIGNATURE or len(raw) != 33:
        raise BadNote("it is not the key of a witness (Ed25519 cosignature, type 4)")
    key = WitnessKey(name, raw[1:])
    if not _NAME.fullmatch(name) or key.key_id.hex() != key_id:
        raise BadNote("a witness's key id does not belong to the key")
    return key


@dataclass(frozen=True)
class Cosigner:
    """Cosigns checkpoints with an Ed25519 private key that signs nothing else."""

    name: str
    private: Ed25519PrivateKey

    @property
    def public(self) -> WitnessKey:
        return WitnessKey(self.name, self.private.public_key().public_bytes_raw())

    def line(self, text: str, time: int) -> str:
        """The signature line for the note `text`, which ends in a newline."""
        signature = self.private.sign(_message(text, time))
        raw = self.public.key_id + time.to_bytes(8, "big") + signature
        return f"— {self.name} {encode_base64(raw)}\n"


@dataclass(frozen=True)
class Cosigned:
    """A witness's word that has been verified."""

    key: WitnessKey
    time: int


def cosigned(note: Note, keys: Sequence[WitnessKey]) -> list[Cosigned]:
    """Who of `keys` cosigned a note. Lines of other keys are ignored.

    Raises BadNote when a line bears a given key's name and id and its signature is wrong.
    """
    known = {(key.name, key.key_id): key for key in keys}
    found = []
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is not None:
            found.append(Cosigned(key, _time(key, note.text, line)))
    return found


def parse_lines(lines: bytes, checkpoint: str, keys: Sequence[WitnessKey]) -> list[str]:
    """A witness's answer: those of its signature lines that `keys` have made over `checkpoint`,
    a signed note. Raises BadNote."""
    note = parse_note(checkpoint.encode() + lines)
    cosigned(note, keys)
    known = {(key.name, key.key_id) for key in keys}
    return [
        f"— {each.name} {encode_base64(each.key_id + each.signature)}\n"
        for each in note.signatures
        if (each.name, each.key_id) in known
    ]


def _time(key: WitnessKey, text: str, line: Signature) -> int:
    time = key.time_of(text, line.signature)
    if time is None:
        raise BadNote(f"its cosignature by {key.name} ({key.key_id.hex()}) is wrong")
    return time


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
