"""Reading the log: what is shown lies under a signed checkpoint, and the read is an entry itself.

`record` belongs in the transaction that reads; only after its commit may the answer leave (P2).
"""

import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.audit import cosignature_store, store, tlog
from services.audit.leaf import SALT_BYTES, Asked, Submission, read_submission
from services.audit.proofs import format_proof
from services.audit.store import Entry
from services.audit.traces import as_subject, whom
from shared.runtime.db import Session
from shared.runtime.ids import new_event_id, utc_now


@dataclass(frozen=True)
class Reader:
    """Who reads: the subject of a token, and whether it is a natural person."""

    subject: str
    person: bool


async def record(
    session: Session,
    reader: Reader,
    asked: Asked,
    about: str,
    *,
    of: Collection[str] = (),
    more: Mapping[str, Any] | None = None,
) -> None:
    """One entry; where the answer names people, one for each, in the accounting of each.

    `of`: the ids of children, or of calls and records that belong to them.
    """
    given = dict(more or {})
    each_of = [given | as_subject(each) for each in of] or [given]
    await store.submit(session, [read_of(reader, asked, about, each) for each in each_of])


def read_of(
    reader: Reader, asked: Asked, about: str, more: Mapping[str, Any] | None = None
) -> Submission:
    salt = secrets.token_bytes(SALT_BYTES)
    return read_submission(
        new_event_id(), reader.subject, reader.person, asked, about, utc_now(), salt, more
    )


def named_in(found: Iterable[Entry]) -> list[str]:
    """Whom these entries are about."""
    return sorted({each for one in found for each in whom(json.loads(one.leaf))})


async def entry(session: Session, index: int) -> Entry | None:
    """An entry under the latest checkpoint."""
    checkpoint = await store.latest_checkpoint(session)
    if checkpoint is None or index >= checkpoint.size:
        return None
    return await store.entry(session, index)


async def proof(session: Session, index: int) -> str | None:
    """A tlog-proof of an entry against the newest checkpoint that a witness has cosigned, or, for
    an entry that came after it, against the latest one."""
    checkpoint = await cosignature_store.latest_cosigned(session)
    if checkpoint is None or index >= checkpoint.size:
        checkpoint = await store.latest_checkpoint(session)
    if checkpoint is None or index >= checkpoint.size:
        return None
    spans = tlog.inclusion_spans(index, checkpoint.size)
    nodes = await store.hashes_of(session, tlog.nodes_of(spans))
    return format_proof(index, tlog.hash_spans(spans, nodes), checkpoint.note)


async def of_disclosure(session: Session, disclosure_id: str) -> list[tuple[int, str]]:
    """(index, kind) of a disclosure's entries under the latest checkpoint."""
    checkpoint = await store.latest_checkpoint(session)
    size = checkpoint.size if checkpoint else 0
    return await store.entries_of(session, disclosure_id, size)
