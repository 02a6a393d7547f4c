"""The export: a folder that a stranger verifies with `python -m services.audit.verify`.

entries.ndjson            one line per entry: index, leaf (its exact bytes, base64), leaf_hash
leaf_hashes.bin           the leaf hashes alone, 32 bytes each, to name the first bad entry
checkpoints/<size>.note   signed checkpoints: the newest, and the last of every hour, cosigned
log.vkey                  the public keys of the log, one a line, also those of earlier years
witnesses.vkey            the public keys of the witnesses that have cosigned
turns.txt                 indexes of the entries where the log took a new origin, if it ever did
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from services.audit import cosignature_store, origin_store, reading, store
from services.audit.anchors import CHECKPOINTS, KEYS, WITNESSES
from services.audit.leaf import Asked
from services.audit.note import PublicKey, encode_base64
from services.audit.reading import Reader
from services.audit.store import Entry, StoredCheckpoint
from services.audit.turns import TURNS
from services.audit.walk import ENTRIES, LEAF_HASHES
from shared.runtime.db import Database, Session
from shared.runtime.errors import Misconfigured

_PAGE = 2000


async def export(db: Database, directory: Path, keys: Sequence[PublicKey]) -> StoredCheckpoint:
    """Write everything under the latest checkpoint to a new folder; returns that checkpoint.

    The export is itself an entry, committed first. Raises Misconfigured when the folder exists or
    there is no checkpoint yet.
    """
    partial = directory.with_name(f"{directory.name}.partial")
    check_new(directory, partial)
    async with db.transaction() as session:
        latest = await store.latest_checkpoint(session)
        if latest is None:
            raise Misconfigured("There is no checkpoint yet: start the role seal, then try again.")
        who = Reader(f"os-user:{os.getuid()}", person=True)
        await reading.record(session, who, Asked.EXPORT, str(latest.size))
    async with db.transaction() as session:
        (partial / CHECKPOINTS).mkdir(parents=True)
        await write_keys(session, partial, keys)
        turns = [each.from_index for each in await origin_store.all_of(session)]
        if turns:
            (partial / TURNS).write_text("".join(f"{index}\n" for index in turns))
        lines = await cosignature_store.all_lines(session)
        async for checkpoint in store.kept_checkpoints(session, latest.size):
            write_checkpoint(partial, checkpoint, lines.get((checkpoint.size, checkpoint.root), ()))
    _begin(partial)
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


def check_new(*paths: Path) -> None:
    """Raises Misconfigured when one of them exists."""
    for path in paths:
        if path.exists():
            raise Misconfigured(f"{path} exists: name a new folder.")


async def write_keys(session: Session, folder: Path, keys: Sequence[PublicKey]) -> None:
    """Every key of the log and of its witnesses, today's and earlier ones."""
    ever = [*(key.vkey for key in keys), *await origin_store.keys_of(session)]
    _write_lines(folder / KEYS, dict.fromkeys(ever))
    witnesses = await cosignature_store.witnesses_of(session)
    if witnesses:
        _write_lines(folder / WITNESSES, witnesses)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_checkpoint(folder: Path, checkpoint: StoredCheckpoint, lines: Sequence[str]) -> None:
    """The signed note with the cosignatures below."""
    path = folder / CHECKPOINTS / f"{checkpoint.size:020d}.note"
    path.write_bytes((checkpoint.note + "".join(lines)).encode())


def _begin(partial: Path) -> None:
    for name in (ENTRIES, LEAF_HASHES):
        (partial / name).touch()


def _write_entries(folder: Path, page: Sequence[Entry]) -> None:
    with (folder / ENTRIES).open("ab") as lines, (folder / LEAF_HASHES).open("ab") as hashes:
        for entry in page:
            lines.write(entry_line(entry))
            hashes.write(entry.leaf_hash)
