"""C2SP signed notes and tlog checkpoints, with Ed25519 (c2sp.org/signed-note, /tlog-checkpoint).

What is parsed here comes from strangers: every fault is a BadNote with a sentence, never another
exception, and text is not to be believed before `open_note` has verified it.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.audit.tlog import HASH_BYTES

MAX_NOTE_BYTES = 64 * 1024
MAX_SIGNATURES = 100
_ED25519 = b"\x01"
_DASH = "— "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")


class BadNote(ValueError):
    """A note, a key or a checkpoint that cannot be used. The text is a sentence about why."""


class UnknownSigner(BadNote):
    """The note is well-formed, but none of the keys given has signed it."""


def decode_base64(text: str) -> bytes:
    """Standard base64, canonical only. Raises BadNote."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote("it holds text that is not base64") from None
    if encode_base64(raw) != text:
        raise BadNote("it holds base64 that is not canonical")
    return raw


def encode_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key (32 raw bytes) under its name."""

    name: str
    raw: bytes

    def __post_init__(self) -> None:
        if not self.name or "+" in self.name or any(c.isspace() or c < " " for c in self.name):
            raise BadNote("a key name is empty or holds a space, a control character or a plus")
        if len(self.raw) != 32:
            raise BadNote("an Ed25519 public key is not 32 bytes long")

    @property
    def key_id(self) -> bytes:
        """4 bytes that name the key in a signature line; no proof of anything."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as one line of text, as people publish and compare it."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(_ED25519 + self.raw)}"

    def signed(self, text: str, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def parse_vkey(vkey: str) -> PublicKey:
    """Raises BadNote."""
    try:
        name, key_id, encoded = vkey.strip().split("+", 2)
    except ValueError:
        raise BadNote("a key is not of the form name+id+base64") from None
    raw = decode_base64(encoded)
    if raw[:1] != _ED25519:
        raise BadNote("a key is not an Ed25519 key (type 1)")
    key = PublicKey(name, raw[1:])
    if not _KEY_ID.fullmatch(key_id) or key.key_id.hex() != key_id:
        raise BadNote("a key's id does not belong to the key")
    return key


@dataclass(frozen=True)
class Signer:
    """Signs notes with an Ed25519 private key under a name."""

    name: str
    private: Ed25519PrivateKey

    @classmethod
    def of_seed(cls, name: str, seed: bytes) -> "Signer":
        """From the 32 secret bytes of RFC 8032."""
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.name, self.private.public_key().public_bytes_raw())

    def line(self, text: str) -> str:
        signature = self.public.key_id + self.private.sign(text.encode())
        return f"{_DASH}{self.name} {encode_base64(signature)}\n"


@dataclass(frozen=True)
class Signature:
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A parsed note; nobody has verified it."""

    text: str
    signatures: tuple[Signature, ...]


def sign_note(text: str, signers: Sequence[Signer]) -> str:
    """A signed note. `text` ends in a newline."""
    signed = f"{text}\n{''.join(signer.line(text) for signer in signers)}"
    parse_note(signed.encode())
    return signed


def parse_note(data: bytes) -> Note:
    """Raises BadNote."""
    if len(data) > MAX_NOTE_BYTES:
        raise BadNote(f"it is longer than {MAX_NOTE_BYTES} bytes")
    try:
        content = data.decode()
    except UnicodeDecodeError:
        raise BadNote("it is not UTF-8 text") from None
    if _CONTROL.search(content):
        raise BadNote("it holds a control character")
    text, blank, block = content.rpartition("\n\n")
    if not blank or not block.endswith("\n"):
        raise BadNote("it has no text, blank line and signature lines")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise BadNote(f"it has more than {MAX_SIGNATURES} signatures")
    return Note(text + "\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not name:
        raise BadNote("a line after its text is not a signature")
    raw = decode_base64(encoded)
    if len(raw) < 5 or "+" in name or any(c.isspace() for c in name):
        raise BadNote("a signature line is malformed")
    return Signature(name, raw[:4], raw[4:])


def open_note(data: bytes, keys: Sequence[PublicKey]) -> tuple[Note, tuple[PublicKey, ...]]:
    """The note and which of `keys` have signed it: at least one.

    Signatures of other keys are ignored; a wrong one under a given key spoils the note. Raises
    UnknownSigner when none of the keys signed it, BadNote for anything else.
    """
    note = parse_note(data)
    known = {(key.name, key.key_id): key for key in keys}
    signers: list[PublicKey] = []
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if not key.signed(note.text, line.signature):
            raise BadNote(f"its signature by {key.name} ({key.key_id.hex()}) is wrong")
        if key not in signers:
            signers.append(key)
    if not signers:
        found = ", ".join(f"{line.name} ({line.key_id.hex()})" for line in note.signatures[:4])
        raise UnknownSigner(f"it is signed by {found}, which is none of the keys given")
    return note, tuple(signers)


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: the log's origin, the number of entries, the root hash."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text to sign."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """A checkpoint from a note's text. Raises BadNote."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not all(lines):
        raise BadNote("it is not a checkpoint (origin, size and root, each on a line)")
    origin, size, root, *extensions = lines
    if not _SIZE.fullmatch(size):
        raise BadNote("its tree size is not a number")
    raw = decode_base64(root)
    if len(raw) != HASH_BYTES:
        raise BadNote("its root hash is not 32 bytes long")
    return Checkpoint(origin, int(size), raw, tuple(extensions))


def open_checkpoint(data: bytes, keys: Sequence[PublicKey]) -> Checkpoint:
    """A checkpoint that at least one of `keys` has signed. Raises BadNote, UnknownSigner."""
    note, _ = open_note(data, keys)
    return parse_checkpoint(note.text)
