"""Asking for a consult: of two that race one opens it and the other joins (C30)."""

from datetime import datetime

from services.intake import child_store
from services.intake.answers import instant
from services.intake.child_store import ChildRow
from services.intake.hart import consults
from services.intake.hart.consults import Joins, NotTheirs, OutOfTime, Step
from services.intake.hart.histories import Held, Histories
from services.intake.hart.recusing import Recusals
from services.intake.hart.schemas import Ground, NewRequest
from services.intake.once import Answer, Asked, Once, answer
from services.intake.receiving import KeyReused, StillOpen
from shared.contracts.referrals import ConsultRequested
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session
from shared.runtime.ids import new_id

Requested = Answer | OutOfTime | NotTheirs | KeyReused | StillOpen


class Requesting:
    """The unit of work behind POST /v1/consults."""

    def __init__(
        self, once: Once, outbox: Outbox, histories: Histories, recusals: Recusals
    ) -> None:
        self._once = once
        self._outbox = outbox
        self._histories = histories
        self._recusals = recusals

    async def request(self, ask: Asked, wanted: NewRequest) -> Requested:
        """Open a consult on a child, or join the one there is; recuse who is implicated (C18)."""

        async def work(session: Session) -> Answer | OutOfTime | NotTheirs:
            child = await child_store.hold(session, wanted.referral_id, wanted.child_id)
            if child is None or await self._histories.barred(session, child, ask.owner):
                return NotTheirs()
            for person in wanted.implicated_staff:
                await self._recusals.keep(session, ask, child, person, Ground.IMPLICATED)
            return await self._join(session, ask, wanted, child)

        return await self._once.do(ask, work)

    async def _join(
        self, session: Session, ask: Asked, wanted: NewRequest, child: ChildRow
    ) -> Answer | OutOfTime:
        at = wanted.requested_at or ask.now
        latest = await self._histories.latest(session, child, ask.owner)
        known = None if latest is None else latest.consult
        outcome = consults.request(known, at, ask.now, new_facts=wanted.new_facts)
        if isinstance(outcome, OutOfTime):
            return outcome
        if isinstance(outcome, Joins) and latest is not None:
            place: Held | None = latest
            consult_id, started_at = latest.row.consult_id, outcome.started_at
        else:
            place = None
            row = await self._histories.open(session, child, latest)
            consult_id, started_at = row.consult_id, at
        note = wanted.model_dump(mode="json", include={"requester", "reasons", "new_facts"})
        await self._histories.extend(
            session, ask, place or (row, child), Step.REQUESTED, at, note=note
        )
        return await self._tell(session, ask, child, consult_id, at, started_at)

    async def _tell(
        self,
        session: Session,
        ask: Asked,
        child: ChildRow,
        consult_id: str,
        at: datetime,
        started_at: datetime,
    ) -> Answer:
        event = ConsultRequested(
            referral_id=child.referral_id,
            consult_id=consult_id,
            child_id=child.child_id,
            request_id=new_id("req"),
            requested_at=at,
            started_at=started_at,
            recorded_at=ask.now,
        )
        await self._outbox.emit(session, ask.now, event)
        return answer(
            consult_id=consult_id, request_id=event.request_id, started_at=instant(started_at)
        )
