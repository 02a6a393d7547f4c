"""A folder that keeps referrals until Hartline has them: encrypted, in order, and each under the
one key that it is sent with, however often.

An entry is one file, written whole: a part file is flushed to the disk, renamed, and the folder is
flushed too. Its name holds its place in the order and the Idempotency-Key, and is authenticated
with its content (AES-256-GCM): an entry that was changed, renamed or exchanged does not open.

What Hartline has is removed; or, with `keep`, stays sealed in `sent/` for that long, because a
Hartline that lost its disk goes on from a backup and has lost what it answered for since.
"""

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hartline_careline.bodies import NewReferral
from hartline_careline.errors import HartlineError

_MAGIC = b"HLS1"
_NONCE = 12
_KEY_ID = 4
_NAME = re.compile(r"([0-9]{12})-([A-Za-z0-9_.-]{1,128})\.referral")
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class SpoolError(HartlineError):
    """The folder or its key is not as it must be."""


class WrongKey(SpoolError):
    """An entry was written under a key that we were not given. Nothing was sent or moved."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One referral that waits: its place and its Idempotency-Key. What it says is sealed."""

    place: int
    key: str

    @property
    def name(self) -> str:
        return f"{self.place:012d}-{self.key}.referral"


class Spool:
    """One folder, for this process and others on the same machine.

    `key` are 32 bytes that the phone system keeps elsewhere; `older` open what was written before
    the key was changed.
    """

    def __init__(
        self,
        folder: Path,
        key: bytes,
        *,
        older: Sequence[bytes] = (),
        keep: timedelta = timedelta(0),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Makes the folder, for its owner only. Raises SpoolError.

        `keep`: for how long what was sent can be taken back; longer than Hartline's backup may lag.
        """
        if any(len(each) != 32 for each in (key, *older)):
            raise SpoolError("A spool's key has 32 bytes.")
        self._own = _key_id(key)
        self._ciphers = {_key_id(each): AESGCM(each) for each in (key, *older)}
        self._folder = folder
        self._aside = folder / "aside"
        self._sent = folder / "sent"
        self._keep = keep.total_seconds()
        self._clock = clock
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in (self._aside, self._sent):
            each.mkdir(mode=0o700, exist_ok=True)

    def put(self, referral: NewReferral, key: str) -> Entry:
        """Durable when it returns; sent again with the same key, it finds what is there.

        Raises SpoolError for a key that waits with another referral.
        """
        if not _KEY.fullmatch(key):
            raise SpoolError("A key in the spool is of letters, digits, '-', '_' and '.'.")
        with self._locked("numbers"):
            waiting = self.waiting()
            for each in waiting:
                if each.key == key:
                    return self._same(each, referral)
            for part in self._folder.glob("*.part"):
                part.unlink()
            entry = Entry(waiting[-1].place + 1 if waiting else self._next(), key)
            content = json.dumps(referral, ensure_ascii=False).encode()
            nonce = os.urandom(_NONCE)
            sealed = self._ciphers[self._own].encrypt(nonce, content, entry.name.encode())
            self._write(self._folder / entry.name, _MAGIC + self._own + nonce + sealed)
        return entry

    def _same(self, entry: Entry, referral: NewReferral) -> Entry:
        if self.read(entry) != referral:
            raise SpoolError("This key waits in the spool with another referral: use a new key.")
        return entry

    def waiting(self) -> list[Entry]:
        """What has not been sent yet, the oldest first."""
        found = [_NAME.fullmatch(path.name) for path in self._folder.iterdir()]
        return sorted(
            (Entry(int(name[1]), name[2]) for name in found if name),
            key=lambda entry: (entry.place, entry.key),
        )

    def read(self, entry: Entry) -> NewReferral:
        """What an entry says. Raises WrongKey, or SpoolError when it was changed."""
        raw = (self._folder / entry.name).read_bytes()
        if raw.startswith(_MAGIC):
            _, key_id, nonce, sealed = _split(raw)
            cipher = self._ciphers.get(key_id)
            if cipher is None:
                raise WrongKey(f"Entry {entry.place} was written under another key.")
            try:
                opened = cipher.decrypt(nonce, sealed, entry.name.encode())
                return cast(NewReferral, json.loads(opened))
            except (InvalidTag, ValueError):
                pass
        raise SpoolError(f"Entry {entry.place} does not open: it was changed.")

    def remove(self, entry: Entry) -> None:
        """Not to be sent: its sender was told why."""
        (self._folder / entry.name).unlink(missing_ok=True)
        _flush(self._folder)

    def sent(self, entry: Entry) -> None:
        """Hartline has it: removed, or kept for a while. What was kept long enough goes."""
        if self._keep <= 0:
            self.remove(entry)
            return
        now, path = self._clock(), self._folder / entry.name
        os.utime(path, (now, now))
        path.replace(self._sent / entry.name)
        _flush(self._sent)
        _flush(self._folder)
        for old in self._sent.iterdir():
            if old.stat().st_mtime < now - self._keep:
                old.unlink(missing_ok=True)

    def take_back(self, since: datetime) -> list[Entry]:
        """What was sent at `since` or later waits again, under its old key: Hartline was restored
        from a backup. What the backup had gets its old answer.
        """
        with self._locked("numbers"):
            kept = [path for path in self._sent.iterdir() if _NAME.fullmatch(path.name)]
            names = {path.name for path in kept if path.stat().st_mtime >= since.timestamp()}
            for name in names:
                (self._sent / name).replace(self._folder / name)
            _flush(self._folder)
            _flush(self._sent)
            return [each for each in self.waiting() if each.name in names]

    def set_aside(self, entry: Entry) -> None:
        """Out of the way of the others, and kept for a person, in `aside/`."""
        (self._folder / entry.name).replace(self._aside / entry.name)
        _flush(self._aside)
        _flush(self._folder)

    def aside(self) -> list[Path]:
        """What a person must see to."""
        return sorted(path for path in self._aside.iterdir() if _NAME.fullmatch(path.name))

    def sending(self) -> AbstractContextManager[None]:
        """Held by who sends: one at a time, so that the order holds."""
        return self._locked("sending")

    def _next(self) -> int:
        """Behind what was set aside or is kept, so that no name comes twice and order holds."""
        kept = (path for path in self._sent.iterdir() if _NAME.fullmatch(path.name))
        places = [int(path.name[:12]) for path in (*self.aside(), *kept)]
        return max(places, default=0) + 1

    def _write(self, path: Path, content: bytes) -> None:
        part = path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _flush(self._folder)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self._folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _key_id(key: bytes) -> bytes:
    """Which key it is, without telling it."""
    return hashlib.sha256(b"hartline spool key" + key).digest()[:_KEY_ID]


def _split(raw: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    key_at, nonce_at, sealed_at = (
        len(_MAGIC),
        len(_MAGIC) + _KEY_ID,
        len(_MAGIC) + _KEY_ID + _NONCE,
    )
    return raw[:key_at], raw[key_at:nonce_at], raw[nonce_at:sealed_at], raw[sealed_at:]


def _flush(folder: Path) -> None:
    """Make the folder's list of names durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
