"""Asking for and approving the destruction of content, and holding it: units of work.

Each decision is an entry of the log in the same transaction. Decisions on one child take turns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.audit.accounting.neighbours import People, Subjects
from services.audit.deciding import decide
from services.audit.leaf import Decided
from services.audit.retention import last_store, store
from services.audit.retention.rules import (
    AlreadySettled,
    Ground,
    Hold,
    Obstacle,
    SamePerson,
    Shredding,
    State,
    UnderDestruction,
    approve,
    obstacle,
    refuse,
    release,
)
from services.audit.traces import Facet, trace
from shared.runtime.db import Database, Session
from shared.runtime.ids import new_id, utc_now

SHRED_WAKE = "shred"


@dataclass(frozen=True, slots=True)
class RetentionDesk:
    """`years`: how long content is kept before the ordinary retention may propose its end."""

    db: Database
    people: People
    years: int = 5
    clock: Callable[[], datetime] = utc_now

    async def ask(
        self, child_id: str, ground: Ground, citation: str, by: str
    ) -> Shredding | Obstacle | None:
        """None: there is no such child. Raises Retryable while intake is away."""
        subjects = await self.people.subjects(child_id)
        if subjects is None:
            return None
        now = self.clock()
        new = Shredding(
            shredding_id=new_id("shr"),
            child_id=child_id,
            referral_id=subjects.referral_id,
            ground=ground,
            citation=citation,
            state=State.ASKED,
            asked_by=by,
            asked_at=now,
        )
        async with self.db.transaction() as session:
            await store.one_at_a_time(session, child_id)
            if found := await self._obstacle(session, new, subjects, now):
                return found
            if not await store.ask(session, new):
                return AlreadySettled()
            await decide(session, by, Decided.SHREDDING_ASKED, new.shredding_id, child_id, now)
        return new

    async def approve(self, shredding_id: str, by: str) -> Shredding | Obstacle | None:
        """By a second person; the law is asked again. From the commit on it is carried out."""
        child_id = await self._child_of(shredding_id)
        subjects = await self.people.subjects(child_id) if child_id else None
        if child_id is None or subjects is None:
            return None
        now = self.clock()
        async with self.db.transaction() as session:
            await store.one_at_a_time(session, child_id)
            asked = await store.lock_shredding(session, shredding_id)
            assert asked is not None
            approved = approve(asked, by, now)
            if not isinstance(approved, Shredding):
                return approved
            if found := await self._obstacle(session, asked, subjects, now):
                return found
            await store.keep_decision(session, approved)
            await decide(session, by, Decided.SHREDDING_APPROVED, shredding_id, child_id, now)
        self.db.wakes.wake(SHRED_WAKE)
        return approved

    async def refuse(self, shredding_id: str, by: str) -> Shredding | Obstacle | None:
        now = self.clock()
        async with self.db.transaction() as session:
            asked = await store.lock_shredding(session, shredding_id)
            if asked is None:
                return None
            refused = refuse(asked, by, now)
            if isinstance(refused, Shredding):
                await store.keep_decision(session, refused)
                about = Decided.SHREDDING_REFUSED, shredding_id, asked.child_id
                await decide(session, by, *about, now)
            return refused

    async def hold(self, child_id: str, citation: str, by: str) -> Hold | Obstacle | None:
        """From its commit on nothing of this person is destroyed that is not destroyed already."""
        subjects = await self.people.subjects(child_id)
        if subjects is None:
            return None
        now = self.clock()
        new = Hold(new_id("hld"), child_id, citation, by, now)
        async with self.db.transaction() as session:
            for each in sorted(subjects.child_ids):
                await store.one_at_a_time(session, each)
            if await store.under_destruction(session, subjects.child_ids):
                return UnderDestruction()
            await store.place(session, new)
            await decide(session, by, Decided.HELD, new.hold_id, child_id, now)
        return new

    async def release(self, hold_id: str, by: str) -> Hold | SamePerson | AlreadySettled | None:
        now = self.clock()
        async with self.db.transaction() as session:
            held = await store.lock_hold(session, hold_id)
            if held is None:
                return None
            after = release(held, by, now)
            if isinstance(after, Hold):
                await store.keep_release(session, after)
                what = Decided.RELEASED if after.released_at else Decided.RELEASE_ASKED
                await decide(session, by, what, hold_id, held.child_id, now)
            return after

    async def _child_of(self, shredding_id: str) -> str | None:
        async with self.db.transaction() as session:
            found = await store.lock_shredding(session, shredding_id)
        return found.child_id if found else None

    async def _obstacle(
        self, session: Session, wanted: Shredding, subjects: Subjects, now: datetime
    ) -> Obstacle | None:
        """Of this person, whichever id. The request itself keeps nothing alive."""
        held = await store.held(session, subjects.child_ids)
        traces = [trace(Facet.SUBJECT, each) for each in subjects.every]
        last = await last_store.last_entry(session, traces, wanted.shredding_id)
        return obstacle(wanted.ground, last, held, self.years, now)
