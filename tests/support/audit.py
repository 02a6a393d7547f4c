"""A log in memory, written to a folder as the export command writes it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from services.audit.export import entry_line
from services.audit.note import Checkpoint, Signer, sign_note
from services.audit.store import Entry
from services.audit.tlog import Frontier, leaf_hash

ORIGIN = "log.example/audit"
NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def signer(seed: int, name: str = ORIGIN) -> Signer:
    return Signer.of_seed(name, bytes([seed]) * 32)


def leaf(index: int, mark: str = "") -> bytes:
    salt = sha256(f"{index}{mark}".encode()).hexdigest()[:32]
    return f'{{"kind":"attempted","n":{index},"salt":"{salt}"}}'.encode()


@dataclass
class MemoryLog:
    """Leaves and the sizes at which checkpoints were signed."""

    leaves: list[bytes]
    signed_at: Sequence[int]
    signers: Sequence[Signer] = field(default_factory=lambda: (signer(1),))
    origin: str = ORIGIN

    def note(self, size: int) -> str:
        frontier = Frontier()
        frontier.extend(leaf_hash(each) for each in self.leaves[:size])
        return sign_note(Checkpoint(self.origin, size, frontier.root()).text, self.signers)

    def write(self, folder: Path) -> Path:
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "log.vkey").write_text("".join(f"{s.public.vkey}\n" for s in self.signers))
        write_entries(folder, self.leaves)
        write_hashes(folder, self.leaves)
        for size in self.signed_at:
            (folder / "checkpoints" / f"{size:020d}.note").write_text(self.note(size))
        return folder


def log_of(size: int, signed_at: Sequence[int] | None = None) -> MemoryLog:
    return MemoryLog([leaf(index) for index in range(size)], signed_at or [size])


def line(index: int, content: bytes, hashed: bytes | None = None) -> bytes:
    """A line of entries.ndjson; `hashed` is the leaf whose hash is written."""
    written = leaf_hash(content if hashed is None else hashed)
    return entry_line(Entry(index, "attempted", content, written, NOW))


def write_entries(folder: Path, leaves: Iterable[bytes]) -> None:
    lines = (line(index, content) for index, content in enumerate(leaves))
    (folder / "entries.ndjson").write_bytes(b"".join(lines))


def write_hashes(folder: Path, leaves: Iterable[bytes]) -> None:
    (folder / "leaf_hashes.bin").write_bytes(b"".join(leaf_hash(each) for each in leaves))
