"""Answering "who saw this child's information, when, and by what right?"

1. Ask intake whom the child is, across referrals that a person confirmed to be about one.
2. In one transaction record the question and read the entries, all under a signed checkpoint.
3. Only after its commit ask notify what agencies were called, and answer (P2).
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.audit import reading
from services.audit import store as log_store
from services.audit.accounting import store
from services.audit.accounting.neighbours import Names, People, Subjects
from services.audit.accounting.rows import account
from services.audit.accounting.withholding import Audience, Shown, Withheld, Withholding, present
from services.audit.leaf import SALT_BYTES, Asked, read_submission
from services.audit.reading import Reader
from services.audit.store import Entry, StoredCheckpoint
from services.audit.traces import Facet, trace, values_of
from shared.runtime.db import Database, Session
from shared.runtime.ids import new_event_id, utc_now

AUTHORITY = "CGS 4-193"


class Purpose(StrEnum):
    """Why somebody reads the record. A code: what is typed freely may be a name."""

    SUBJECT_REQUEST = "subject_request"
    COMPLIANCE_REVIEW = "compliance_review"
    COURT_ORDER = "court_order"
    INVESTIGATION = "investigation"
    RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class Question:
    child_id: str
    purpose: Purpose
    audience: Audience
    reader: Reader
    asked: Asked = Asked.ACCOUNTING
    proofs: bool = False


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry's exact bytes and its proof."""

    index: int
    leaf: bytes
    proof: str


@dataclass(frozen=True, slots=True)
class Accounting:
    """The answer. `names`: of each shown row's agency; None while notify does not answer."""

    question: Question
    subjects: Subjects
    checkpoint: StoredCheckpoint | None
    answered_at: datetime
    rows: Sequence[Shown | Withheld]
    names: Sequence[str | None] | None
    suspended_until: datetime | None
    proofs: Sequence[Proven] = ()

    @property
    def shown(self) -> list[Shown]:
        return [each for each in self.rows if isinstance(each, Shown)]

    @property
    def withheld(self) -> list[Withheld]:
        return [each for each in self.rows if isinstance(each, Withheld)]


class Accountant:
    """The unit of work behind every accounting."""

    def __init__(
        self,
        db: Database,
        people: People,
        names: Names,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._people = people
        self._names = names
        self._clock = clock

    async def answer(self, question: Question) -> Accounting | None:
        """None: there is no such child. Raises Retryable while intake is away."""
        subjects = await self._people.subjects(question.child_id)
        now = self._clock()
        async with self._db.transaction() as session:
            await record(session, question, now)
            if subjects is None:
                return None
            made = await self._make(session, question, subjects, now)
        shown = made.shown
        names = await self._names.of([each.row for each in shown]) if shown else ()
        return replace(made, names=names)

    async def rows_of(self, child_id: str) -> frozenset[str] | None:
        """The ids of the rows of this person's accounting; None: there is no such child. Raises
        Retryable while intake is away."""
        subjects = await self._people.subjects(child_id)
        if subjects is None:
            return None
        async with self._db.transaction() as session:
            checkpoint = await log_store.latest_checkpoint(session)
            entries = await _about(session, subjects, checkpoint.size if checkpoint else 0)
        return frozenset(row.id for row in account(entries))

    async def _make(
        self, session: Session, question: Question, subjects: Subjects, now: datetime
    ) -> Accounting:
        checkpoint = await log_store.latest_checkpoint(session)
        size = checkpoint.size if checkpoint else 0
        entries = await _about(session, subjects, size)
        withholdings = await store.withholdings_of(session, subjects.child_ids)
        rows = present(account(entries), question.audience, subjects.child_ids, withholdings, now)
        made = Accounting(
            question, subjects, checkpoint, now, rows, None, _suspended(withholdings, now)
        )
        if not question.proofs:
            return made
        proofs = await _prove(session, made.shown, {each.index: each for each in entries})
        return replace(made, proofs=proofs)


def _suspended(withholdings: Sequence[Withholding], now: datetime) -> datetime | None:
    ends = [each.until for each in withholdings if each.until and each.in_force(now)]
    return max(ends, default=None)


async def record(session: Session, question: Question, now: datetime) -> None:
    """The question is an entry of its own, and of this child's own accounting."""
    await log_store.submit(
        session,
        [
            read_submission(
                new_event_id(),
                question.reader.subject,
                question.reader.person,
                question.asked,
                question.child_id,
                now,
                secrets.token_bytes(SALT_BYTES),
                {
                    "child_id": question.child_id,
                    "audience": question.audience.value,
                    "purpose": question.purpose.value,
                    "authority": AUTHORITY,
                },
            )
        ],
    )


async def _about(session: Session, subjects: Subjects, size: int) -> list[Entry]:
    traces = [trace(Facet.SUBJECT, each) for each in subjects.every]
    wanted = {(Facet.SUBJECT, each) for each in subjects.every}
    found = await store.entries_about(session, traces, size)
    return [each for each in found if not wanted.isdisjoint(values_of(json.loads(each.leaf)))]


async def _prove(
    session: Session, shown: Sequence[Shown], entries: Mapping[int, Entry]
) -> list[Proven]:
    """Of rows that are shown whole: a leaf says all that was in it."""
    proven = []
    for index in sorted({index for each in shown if each.whole for index in each.row.indexes}):
        found = await reading.proof(session, index)
        if found is not None:
            proven.append(Proven(index, entries[index].leaf, found))
    return proven
