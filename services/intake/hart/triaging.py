"""The HART Director's review of every DCF-737, accepted or not (A1.6, A1.26)."""

import json
from datetime import datetime

from services.intake.answers import instant
from services.intake.hart import triage, triage_store
from services.intake.hart.consults import NotTheirs
from services.intake.hart.recusing import Recusals
from services.intake.hart.schemas import NewReview
from services.intake.hart.triage import Item, Reviews, Stale, Unread
from services.intake.hart.triage_store import ReviewRow
from services.intake.once import Answer, Asked, Once, answer
from services.intake.receiving import KeyReused, StillOpen
from services.intake.viewing import Question, Viewing
from shared.runtime.auth import Principal
from shared.runtime.db import Database, Session
from shared.runtime.ids import new_id

AUTHORITY = "DCF policy 21-14"
PROFILE = "hart"

Reviewed = Answer | Stale | Unread | NotTheirs | KeyReused | StillOpen


class Triage:
    """The queue, its content, and the reviews."""

    def __init__(self, db: Database, once: Once, viewing: Viewing, recusals: Recusals) -> None:
        self._db = db
        self._once = once
        self._viewing = viewing
        self._recusals = recusals

    async def waiting(self, person: str) -> str:
        """What waits for a review, as JSON: ids, numbers and times, never content, and nothing
        in which this person has a conflict."""
        async with self._db.transaction() as session:
            items = await triage_store.waiting(session)
            ids = [item["referral_id"] for item in items]
            hidden = await self._recusals.hidden(session, ids, person)
        told = [
            {**item, "received_at": instant(item["received_at"])}
            for item in items
            if item["referral_id"] not in hidden
        ]
        return json.dumps({"waiting": told}, separators=(",", ":"))

    async def reviews(self, referral_id: str, person: str) -> str | None:
        """Who reviewed a 737, when, and where it was sent; None for whom it does not exist."""
        async with self._db.transaction() as session:
            if await self._hidden(session, referral_id, person):
                return None
            rows = await triage_store.reviews(session, referral_id)
        told = [
            {
                "review_id": row.review_id,
                "version": row.version,
                "reviewer": row.reviewer,
                "sent_to": row.sent_to,
                "reviewed_at": instant(row.reviewed_at),
            }
            for row in rows
        ]
        return json.dumps({"referral_id": referral_id, "reviews": told}, separators=(",", ":"))

    async def content(
        self, referral_id: str, version: int, reader: Principal, purpose: str, now: datetime
    ) -> str | None:
        """One version as HART may see it, once the read is on record (P2)."""
        async with self._db.transaction() as session:
            if await self._hidden(session, referral_id, reader.subject):
                return None
        return await self._viewing.view(
            Question(
                disclosure_id=new_id("dsc"),
                referral_id=referral_id,
                version=version,
                principal=reader,
                profiles=(PROFILE,),
                purpose=purpose,
                authority=AUTHORITY,
                now=now,
            )
        )

    async def review(self, ask: Asked, referral_id: str, wanted: NewReview) -> Reviewed:
        """Record where a version was sent, by somebody who has read that version."""

        async def work(session: Session) -> Answer | Stale | Unread | NotTheirs:
            found = await triage_store.state(session, referral_id, ask.owner)
            if found is None or await self._hidden(session, referral_id, ask.owner):
                return NotTheirs()
            current, read = found
            item = Item(current, wanted.version, wanted.version in read)
            outcome = triage.review(item)
            if not isinstance(outcome, Reviews):
                return outcome
            destinations = [each.value for each in dict.fromkeys(wanted.sent_to)]
            row = ReviewRow(
                new_id("rvw"), referral_id, wanted.version, ask.owner, destinations, ask.now
            )
            await triage_store.insert_review(session, row)
            return answer(review_id=row.review_id, reviewed_at=instant(ask.now))

        return await self._once.do(ask, work)

    async def _hidden(self, session: Session, referral_id: str, person: str) -> bool:
        """Whether the referral does not exist for this person: unknown, or they are recused."""
        if await triage_store.state(session, referral_id, person) is None:
            return True
        return await self._recusals.barred(session, referral_id, person)
