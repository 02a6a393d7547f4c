"""The steps of a consult after its request: each one, its sealed narrative and its events in one
transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.intake.answers import instant
from services.intake.hart import consults
from services.intake.hart.consults import (
    Already,
    Conflicted,
    NotTheirs,
    NotYet,
    OutOfTime,
    Step,
    Takes,
)
from services.intake.hart.histories import Held, Histories
from services.intake.hart.scale import Level, Scales
from services.intake.hart.schemas import Assignment, CaseSystemEntry, Completion
from services.intake.once import Answer, Asked, Once, answer
from services.intake.receiving import KeyReused, StillOpen
from services.intake.statistics import standing_store
from shared.contracts.base import EventData
from shared.contracts.referrals import (
    ConsultCompleted,
    ConsultEntered,
    ConsultShareRequested,
    VictimIdentified,
)
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session
from shared.runtime.ids import new_id

Declined = Already | Conflicted | NotYet | OutOfTime | NotTheirs
Stepped = Answer | Declined | KeyReused | StillOpen


@dataclass(frozen=True, slots=True)
class Wish:
    """A step somebody wants to take: what the rules say of it, and what follows from it."""

    step: Step
    at: datetime
    decide: Callable[[Held], Takes | Declined]
    events: Callable[[Held], list[EventData]] = field(default=lambda held: [])
    note: Mapping[str, Any] | None = None
    person: str | None = None
    identifies: bool = False


class Consulting:
    """Assign, complete, enter, share."""

    def __init__(self, once: Once, outbox: Outbox, histories: Histories, scales: Scales) -> None:
        self._once = once
        self._outbox = outbox
        self._histories = histories
        self._scales = scales

    async def assign(self, ask: Asked, consult_id: str, wanted: Assignment) -> Stepped:
        """Give a consult to a liaison who has no conflict."""

        def decide(held: Held) -> Takes | Declined:
            return consults.assign(
                held.consult,
                wanted.liaison,
                recused=held.recused,
                conflicted=held.conflicted,
            )

        wish = Wish(Step.ASSIGNED, ask.now, decide, person=wanted.liaison)
        return await self._take(ask, consult_id, wish)

    async def complete(
        self, ask: Asked, consult_id: str, wanted: Completion, level: Level
    ) -> Stepped:
        """Give the level. One that confirms a victim says so in an event of its own."""
        at = wanted.completed_at or ask.now
        note = {
            "scale": self._scales.current,
            "level": level.code,
            "narrative": wanted.narrative,
        }

        def decide(held: Held) -> Takes | Declined:
            return consults.complete(held.consult, ask.owner, at, ask.now, recused=held.recused)

        def events(held: Held) -> list[EventData]:
            completed = ConsultCompleted(**_named(held, ask), completed_at=at)
            if not level.identifies:
                return [completed]
            return [completed, VictimIdentified(**_named(held, ask), identified_at=at)]

        wish = Wish(Step.COMPLETED, at, decide, events, note, identifies=level.identifies)
        return await self._take(ask, consult_id, wish)

    async def enter(self, ask: Asked, consult_id: str, wanted: CaseSystemEntry) -> Stepped:
        """Record that the consult stands in the case system: who says so, and since when."""
        at = wanted.entered_at or ask.now

        def decide(held: Held) -> Takes | Declined:
            return consults.enter(held.consult, ask.owner, at, ask.now, recused=held.recused)

        def events(held: Held) -> list[EventData]:
            return [ConsultEntered(**_named(held, ask), entered_at=at)]

        return await self._take(ask, consult_id, Wish(Step.ENTERED, at, decide, events))

    async def share(self, ask: Asked, consult_id: str) -> Stepped:
        """Ask that the outcome be shared with the MDT (policy 21-14): notify's to act on."""

        def decide(held: Held) -> Takes | Declined:
            return consults.share(held.consult, ask.owner, recused=held.recused)

        def events(held: Held) -> list[EventData]:
            named = _named(held, ask)
            return [ConsultShareRequested(**named, share_id=new_id("shr"), requested_at=ask.now)]

        wish = Wish(Step.SHARE_REQUESTED, ask.now, decide, events)
        return await self._take(ask, consult_id, wish)

    async def _take(self, ask: Asked, consult_id: str, wish: Wish) -> Stepped:
        async def work(session: Session) -> Answer | Declined:
            held = await self._histories.hold(session, consult_id, ask.owner, wish.person)
            if held is None:
                return NotTheirs()
            outcome = wish.decide(held)
            if not isinstance(outcome, Takes):
                return outcome
            await self._histories.extend(
                session, ask, held, wish.step, wish.at, person=wish.person, note=wish.note
            )
            if wish.identifies:
                await standing_store.identified(session, held.row.referral_id, held.row.child_id)
            await self._outbox.emit(session, ask.now, *wish.events(held))
            return answer(consult_id=consult_id, step=wish.step.value, occurred_at=instant(wish.at))

        return await self._once.do(ask, work)


def _named(held: Held, ask: Asked) -> dict[str, Any]:
    """What the events of a step have in common."""
    return {
        "referral_id": held.row.referral_id,
        "consult_id": held.row.consult_id,
        "child_id": held.row.child_id,
        "recorded_at": ask.now,
    }
