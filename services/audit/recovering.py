"""Going on after a restore: the database is older than what was signed. Two ways, both commands.

`from_export`: somebody has a newer export. Its entries are appended again, byte for byte, under
their old indexes, so that the tree is the one that was signed; nothing is lost up to there.

`new_origin`: what is missing cannot be had again. The log goes on under a new name, and its first
entry commits to the last checkpoint that is known of the old one and so admits what was lost.

Either way the events since then are sent again afterwards (`bus replay`); those that are in the log
already are dropped. The services must be stopped.
"""

import json
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.audit import origin_store, recovering_store, store
from services.audit.anchors import CHECKPOINTS
from services.audit.evidence import examine
from services.audit.leaf import SALT_BYTES, Kind, Submission, continued_submission
from services.audit.note import (
    BadNote,
    Checkpoint,
    PublicKey,
    encode_base64,
    open_checkpoint,
    parse_note,
)
from services.audit.tlog import Frontier, leaf_hash
from services.audit.traces import traces_of
from services.audit.walk import ENTRIES, MAX_LINE_BYTES, read_entry
from shared.messaging.leases import Leadership
from shared.runtime.db import Database, Session
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import new_event_id, utc_now

REASONS = ("backup_restored", "server_lost")
SEALERS = "audit seal"
"""The lock that the role `seal` holds while it leads."""

_BATCH = 2000


@dataclass(frozen=True)
class Recovered:
    """The log has `size` entries now; `added` of them came back, or say what was lost."""

    size: int
    added: int
    lost: int


async def from_export(
    db: Database, dsn: str, folder: Path, keys: Sequence[PublicKey], held: bytes | None
) -> Recovered:
    """Append what the export has and the database lacks. Raises Misconfigured when the export is
    not what the log signed, or the database is not an earlier state of it."""
    report = examine(folder, held, keys)
    if report.sentences:
        raise Misconfigured(f"{folder} is not what the log signed: {report.sentences[0]}")
    async with _sealers_stopped(dsn):
        async with db.transaction() as session:
            there = await store.lock_head(session)
        if there.size >= report.entries:
            raise Misconfigured(
                f"The database holds {there.size} entries and the export {report.entries}: there "
                "is nothing in it to bring back."
            )
        _check_prefix(folder, there)
        for batch in _batches(folder, there.size, report.entries):
            async with db.transaction() as session:
                await _append(session, batch)
        await _keep_newest_checkpoint(db, folder, keys)
    return Recovered(report.entries, report.entries - there.size, 0)


def _check_prefix(folder: Path, there: Frontier) -> None:
    tree = Frontier()
    tree.extend(leaf_hash(each.leaf) for each in _read(folder, 0, there.size))
    if tree.root() != there.root():
        raise Misconfigured(
            f"The {there.size} entries in the database are not those of the export: it was "
            "changed, not restored. Keep both as they are; docs/audit.md says whom to tell."
        )


def _batches(folder: Path, start: int, end: int) -> Iterator[list[Submission]]:
    batch: list[Submission] = []
    for each in _read(folder, start, end):
        batch.append(each)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(folder: Path, start: int, end: int) -> Iterator[Submission]:
    with (folder / ENTRIES).open("rb") as file:
        for index in range(end):
            line = file.readline(MAX_LINE_BYTES)
            if index >= start:
                yield _as_it_was(read_entry(line)[1])


def _as_it_was(leaf: bytes) -> Submission:
    """A leaf with what the table has beside it, which is all in the leaf."""
    content: dict[str, Any] = json.loads(leaf)
    return Submission(
        content["event"]["id"],
        content["position"],
        Kind(content["kind"]),
        content["record"].get("disclosure_id"),
        leaf,
        traces_of(content),
    )


async def _append(session: Session, batch: Sequence[Submission]) -> None:
    """Straight into the tree, in this order, past the queue."""
    frontier = await store.lock_head(session)
    hashes = await recovering_store.restore_entries(session, frontier.size, batch)
    if len(hashes) != len(batch):
        raise Misconfigured("The export holds an event twice that the database holds once.")
    await store.add_nodes(session, frontier.extend(hashes))
    await store.move_head(session, frontier)
    for index, each in enumerate(batch, start=frontier.size - len(batch)):
        if each.kind is Kind.CONTINUED:
            record = json.loads(each.leaf)["record"]
            await origin_store.add(
                session, record["origin"], index, record["previous"], record["committed"]
            )


async def _keep_newest_checkpoint(db: Database, folder: Path, keys: Sequence[PublicKey]) -> None:
    """As we had stored it: with the log's own signatures only."""
    data = max((folder / CHECKPOINTS).glob("*.note")).read_bytes()
    checkpoint, note = open_checkpoint(data, keys), parse_note(data)
    ours = {(key.name, key.key_id) for key in keys}
    lines = [
        f"— {each.name} {encode_base64(each.key_id + each.signature)}\n"
        for each in note.signatures
        if (each.name, each.key_id) in ours
    ]
    signed = f"{note.text}\n{''.join(lines)}"
    async with db.transaction() as session:
        await store.add_checkpoint(session, checkpoint.size, checkpoint.root, signed)


async def new_origin(
    db: Database, dsn: str, origin: str, committed: bytes, keys: Sequence[PublicKey], reason: str
) -> Recovered:
    """Let the log go on as `origin`. `committed`: the newest checkpoint that anybody has, signed
    by `keys`, the log's keys under its old name. Raises Misconfigured."""
    try:
        checkpoint = open_checkpoint(committed, keys)
    except BadNote as error:
        raise Misconfigured(f"The last checkpoint is of no use: {error}.") from None
    if checkpoint.origin == origin:
        raise Misconfigured(f"{origin} is the old origin: choose a name that the log never had.")
    async with _sealers_stopped(dsn), db.transaction() as session:
        frontier = await store.lock_head(session)
        await _check_turn(session, origin, checkpoint, frontier)
        admission = _admission(origin, checkpoint, frontier.size, committed, reason)
        hashes = await recovering_store.restore_entries(session, frontier.size, [admission])
        await origin_store.add(
            session, origin, frontier.size, checkpoint.origin, committed.decode()
        )
        await store.add_nodes(session, frontier.extend(hashes))
        await store.move_head(session, frontier)
    return Recovered(frontier.size, 1, checkpoint.size - frontier.size + 1)


async def _check_turn(
    session: Session, origin: str, checkpoint: Checkpoint, frontier: Frontier
) -> None:
    if checkpoint.size <= frontier.size:
        raise Misconfigured(
            f"The database holds {frontier.size} entries and {checkpoint.size} were signed: "
            "nothing is lost. If the log refuses to sign, its database was changed; a new origin "
            "would only hide that."
        )
    names = {each.origin for each in await origin_store.all_of(session)}
    ended = {each.previous for each in await origin_store.all_of(session)}
    if origin in names | ended or checkpoint.origin in ended:
        raise Misconfigured("The log has had that origin, or goes on under a newer one already.")


def _admission(
    origin: str, checkpoint: Checkpoint, size: int, committed: bytes, reason: str
) -> Submission:
    record = {
        "origin": origin,
        "previous": checkpoint.origin,
        "committed": committed.decode(),
        "first_lost": size,
        "last_lost": checkpoint.size - 1,
        "reason": reason,
        "actor": f"os-user:{os.getuid()}",
    }
    salt = secrets.token_bytes(SALT_BYTES)
    return continued_submission(new_event_id(), record, utc_now(), salt)


@asynccontextmanager
async def _sealers_stopped(dsn: str) -> AsyncIterator[None]:
    """Hold the sequencer's own lock, so that none can begin meanwhile."""
    leadership = Leadership(dsn, SEALERS)
    try:
        if not await leadership.contend():
            raise Misconfigured("The role seal is running: stop the audit service first.")
        yield
    finally:
        await leadership.close()
