"""The export: a folder that a stranger verifies with `python -m services.audit.verify`.

entries.ndjson            one line per entry: index, leaf (its exact bytes, base64), leaf_hash
leaf_hashes.bin           the leaf hashes alone, 32 bytes each, to name the first bad entry
checkpoints/<size>.note   signed checkpoints: the newest, and the last of every hour
log.vkey                  the public keys of the log, one a line
"""

import os
from collections.abc import Sequence
from pathlib import Path

from services.audit import reading, store
from services.audit.leaf import Asked
from services.audit.note import PublicKey, encode_base64
from services.audit.reading import Reader
from services.audit.store import Entry, StoredCheckpoint
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured

ENTRIES = "entries.ndjson"
LEAF_HASHES = "leaf_hashes.bin"
CHECKPOINTS = "checkpoints"
KEYS = "log.vkey"

_PAGE = 2000


async def export(db: Database, directory: Path, keys: Sequence[PublicKey]) -> StoredCheckpoint:
    """Write everything under the latest checkpoint to a new folder; returns that checkpoint.

    The export is itself an entry, committed first. Raises Misconfigured when the folder exists or
    there is no checkpoint yet.
    """
    partial = directory.with_name(f"{directory.name}.partial")
    _check_new(directory, partial)
    async with db.transaction() as session:
        latest = await store.latest_checkpoint(session)
        if latest is None:
            raise Misconfigured("There is no checkpoint yet: start the role seal, then try again.")
        who = Reader(f"os-user:{os.getuid()}", person=True)
        await reading.record(session, who, Asked.EXPORT, str(latest.size))
    _begin(partial, keys)
    async with db.transaction() as session:
        async for checkpoint in store.kept_checkpoints(session, latest.size):
            _write_checkpoint(partial, checkpoint)
    for start in range(0, latest.size, _PAGE):
        async with db.transaction() as session:
            page = await store.entries_from(session, start, min(start + _PAGE, latest.size))
        _write_entries(partial, page)
    partial.rename(directory)
    return latest


def entry_line(entry: Entry) -> bytes:
    """One line of entries.ndjson."""
    leaf = encode_base64(entry.leaf)
    return (
        f'{{"index":{entry.index},"leaf":"{leaf}","leaf_hash":"{entry.leaf_hash.hex()}"}}\n'
    ).encode()


def _check_new(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise Misconfigured(f"{path} exists: name a new folder.")


def _begin(partial: Path, keys: Sequence[PublicKey]) -> None:
    (partial / CHECKPOINTS).mkdir(parents=True)
    (partial / KEYS).write_text("".join(f"{key.vkey}\n" for key in keys), encoding="utf-8")
    for name in (ENTRIES, LEAF_HASHES):
        (partial / name).touch()


def _write_checkpoint(folder: Path, checkpoint: StoredCheckpoint) -> None:
    path = folder / CHECKPOINTS / f"{checkpoint.size:020d}.note"
    path.write_bytes(checkpoint.note.encode())


def _write_entries(folder: Path, page: Sequence[Entry]) -> None:
    with (folder / ENTRIES).open("ab") as lines, (folder / LEAF_HASHES).open("ab") as hashes:
        for entry in page:
            lines.write(entry_line(entry))
            hashes.write(entry.leaf_hash)
