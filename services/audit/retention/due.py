"""The report of what is due: children of whom nobody has seen anything for years."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.audit import reading
from services.audit import store as log_store
from services.audit.accounting.asking import AUTHORITY, Purpose
from services.audit.accounting.store import first_since
from services.audit.leaf import Asked
from services.audit.reading import Reader
from services.audit.retention import due_store, store
from services.audit.retention.desk import RetentionDesk
from services.audit.retention.due_store import Last
from services.audit.retention.rules import years_before
from services.audit.traces import Facet, trace, values_of
from shared.runtime.db import Session

STEPS = 5000
BEGINNING = -(2**63)


@dataclass(frozen=True, slots=True)
class Due:
    """A child whose content may be proposed for destruction, unless it is held."""

    child_id: str
    referral_id: str | None
    last_at: datetime
    held: bool


@dataclass(frozen=True, slots=True)
class Report:
    """`next`: the cursor to go on from; None: that was all."""

    due: list[Due]
    next: int | None


async def due(desk: RetentionDesk, reader: Reader, after: int) -> Report:
    """The next page; the reading is an entry first. Children destroyed already are left out.

    Raises Retryable while intake is away: it knows whom else a hold binds.
    """
    now = desk.clock()
    cutoff = years_before(now, desk.years)
    held = await _held(desk)
    async with desk.db.transaction() as session:
        checkpoint = await log_store.latest_checkpoint(session)
        size = checkpoint.size if checkpoint else 0
        index = await first_since(session, cutoff, size) if size else 0
        last, following = await due_store.walk(session, after, index, STEPS)
        children = dict(_children(last))
        gone = {
            child_id for child_id in children if await store.under_destruction(session, [child_id])
        }
        found = [
            Due(child_id, referral_id, at, child_id in held)
            for child_id, (referral_id, at) in children.items()
            if child_id not in gone
        ]
        await _record(session, reader, [each.child_id for each in found])
    return Report(found, following)


async def _held(desk: RetentionDesk) -> set[str]:
    """Every id of every person who is held under one."""
    async with desk.db.transaction() as session:
        held = await store.held_children(session)
    bound = set(held)
    for each in held:
        subjects = await desk.people.subjects(each)
        bound.update(subjects.child_ids if subjects else ())
    return bound


def _children(last: list[Last]) -> Iterator[tuple[str, tuple[str | None, datetime]]]:
    """Those of the traces that are a child's, as the leaf itself says."""
    for each in last:
        content = json.loads(each.leaf)
        for facet, value in values_of(content):
            child = facet is Facet.SUBJECT and value.startswith("chd_")
            if child and trace(facet, value) == each.trace:
                yield value, (content.get("referral_id"), each.sequenced_at)


async def _record(session: Session, reader: Reader, child_ids: Sequence[str]) -> None:
    """In the accounting of each child that the list names, of which it keeps nothing alive."""
    more = {"purpose": Purpose.RETENTION.value, "authority": AUTHORITY}
    await reading.record(session, reader, Asked.DUE, "log", of=child_ids, more=more)
