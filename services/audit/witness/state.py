"""What a witness remembers: the last checkpoint that it cosigned of each log, in a folder.

last/<hash of the origin>.note    written before the cosignature is given away
evidence/<hash of the text>.note  what a log signed that does not continue its past; keep these

One process at a time holds the folder. Losing it makes the witness forget, so that it would cosign
another history: copy it, and never restore an older copy.
"""

import fcntl
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO

from services.audit.note import (
    MAX_NOTE_BYTES,
    BadNote,
    Checkpoint,
    PublicKey,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
)
from services.audit.witness.rules import Keys

_MOST_EVIDENCE = 1000
_MOST_SUSPICIONS = 500


class Damaged(Exception):
    """The folder cannot be used. Its text says why and what to do."""


class State:
    """The folder of one witness."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        """Raises Damaged when another process holds it or what it remembers cannot be read."""
        self._last_folder = folder / "last"
        self._evidence = folder / "evidence"
        for each in (self._last_folder, self._evidence):
            each.mkdir(parents=True, exist_ok=True)
        _sync(folder)
        self._lock = _hold(folder / "lock")
        try:
            read = ((origin, self._read(origin, trusted)) for origin, trusted in keys.items())
            self.last = {origin: found for origin, found in read if found is not None}
        except BaseException:
            self._lock.close()
            raise

    def _read(self, origin: str, trusted: Sequence[PublicKey]) -> Checkpoint | None:
        path = self._path(origin)
        if not path.exists():
            return None
        try:
            checkpoint = open_checkpoint(path.read_bytes()[: MAX_NOTE_BYTES + 1], trusted)
        except BadNote as error:
            if _is_of(origin, path):
                raise Damaged(
                    f"{path} is signed by none of the keys that logs.vkey has for {origin}. If "
                    "one was taken out there, put its line back, wait until the log's next "
                    "checkpoint is cosigned, and take it out then. If none was, the file was "
                    "changed: bring back the newest copy of the folder."
                ) from None
            raise Damaged(
                f"{path} is not what this witness wrote: {error}. Bring back the newest copy of "
                "the folder; without it this witness must be given up and another key made."
            ) from None
        if checkpoint.origin != origin:
            raise Damaged(f"{path} holds the checkpoint of another log.")
        return checkpoint

    def _path(self, origin: str) -> Path:
        return self._last_folder / f"{sha256(origin.encode()).hexdigest()[:32]}.note"

    def remember(self, checkpoint: Checkpoint, note: str) -> None:
        """Durable when this returns; only then may the cosignature leave."""
        _replace(self._path(checkpoint.origin), note.encode())
        self.last[checkpoint.origin] = checkpoint

    def keep_evidence(self, note: str, *, proof: bool) -> Path | None:
        """Keep what a log signed and this witness did not; None when too much is kept already.

        One file for what was signed, whoever's signatures are added below it. `proof`: nobody but
        the log can have made it; of the rest less is kept, so that no stranger fills its place.
        """
        text = parse_note(note.encode()).text
        path = self._evidence / f"{sha256(text.encode()).hexdigest()[:32]}.note"
        most = _MOST_EVIDENCE if proof else _MOST_SUSPICIONS
        if not path.exists() and sum(1 for _ in self._evidence.iterdir()) >= most:
            return None
        _replace(path, note.encode())
        return path

    def close(self) -> None:
        self._lock.close()


def _is_of(origin: str, path: Path) -> bool:
    """Whether it is whole and a checkpoint of that log, whoever signed it."""
    try:
        note = parse_note(path.read_bytes()[: MAX_NOTE_BYTES + 1])
        return parse_checkpoint(note.text).origin == origin
    except BadNote:
        return False


def _hold(path: Path) -> IO[str]:
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise Damaged(f"{path.parent} is in use by another witness process.") from None
    return file


def _replace(path: Path, content: bytes) -> None:
    """The whole content or the old one, also after a loss of power."""
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """So that the names in it outlive a loss of power."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
