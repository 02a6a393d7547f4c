"""Searching the log. The search is an entry before it answers; what was typed stands in it as a
trace."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.audit import reading
from services.audit import store as log_store
from services.audit.accounting import store
from services.audit.accounting.asking import AUTHORITY, Purpose
from services.audit.leaf import Asked
from services.audit.reading import Reader
from services.audit.store import Entry
from services.audit.traces import Facet, trace, values_of
from shared.runtime.db import Database, Session


@dataclass(frozen=True, slots=True)
class Search:
    """Entries that have every one of these in common, of a period, behind a cursor."""

    reader: Reader
    purpose: Purpose
    facets: dict[Facet, str]
    since: datetime | None
    before: datetime | None
    after: int
    limit: int


@dataclass(frozen=True, slots=True)
class Found:
    """`next`: the cursor to go on from; None: that was all."""

    entries: list[tuple[Entry, dict[str, Any]]] = field(default_factory=list)
    next: int | None = None


async def search(db: Database, wanted: Search) -> Found:
    """What is under a signed checkpoint, in the order of the log."""
    async with db.transaction() as session:
        checkpoint = await log_store.latest_checkpoint(session)
        size = checkpoint.size if checkpoint else 0
        begin = await _index(session, wanted.since, size, 0)
        end = await _index(session, wanted.before, size, size)
        traces = [trace(facet, value) for facet, value in wanted.facets.items()]
        entries = await store.search(
            session, traces, after=wanted.after, begin=begin, end=end, limit=wanted.limit
        )
        asked = set(wanted.facets.items())
        read = [(entry, json.loads(entry.leaf)) for entry in entries]
        found = [each for each in read if asked <= set(values_of(each[1]))]
        await _record(session, wanted, [entry for entry, _ in found])
    more = entries[-1].index if len(entries) == wanted.limit else None
    return Found(found, more)


async def _index(session: Session, moment: datetime | None, size: int, otherwise: int) -> int:
    if moment is None or size == 0:
        return otherwise
    return await store.first_since(session, moment, size)


async def _record(session: Session, wanted: Search, found: Sequence[Entry]) -> None:
    """Ids as they are; an actor or a citation only as its trace, for it was typed freely (P5).
    Whoever was asked about, or is named in the answer, has it in their accounting."""
    searched = {
        facet.value: value
        if facet in (Facet.SUBJECT, Facet.AGENCY)
        else f"{trace(facet, value) & (2**64 - 1):016x}"
        for facet, value in wanted.facets.items()
    }
    more = {"searched": searched, "purpose": wanted.purpose.value, "authority": AUTHORITY}
    subject = wanted.facets.get(Facet.SUBJECT)
    of = set(reading.named_in(found))
    if subject is not None and subject.startswith("chd_"):
        of.add(subject)
    about = subject or "log"
    await reading.record(session, wanted.reader, Asked.SEARCH, about, of=sorted(of), more=more)
