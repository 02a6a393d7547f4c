"""Repatriation: two recorded determinations, each an entry of its own (policy 21-14; A1.36)."""

from services.intake.answers import instant
from services.intake.child_store import ChildRow
from services.intake.hart.recusing import Recusals
from services.intake.once import Answer, Asked, Once, answer
from services.intake.placements import gate, store
from services.intake.placements.gate import Determination, Finding, Permits, Refuses
from services.intake.placements.placing import Unknown
from services.intake.placements.schemas import NewDetermination, NewRepatriation
from services.intake.placements.store import DeterminationRow, RepatriationRow
from services.intake.receiving import KeyReused, StillOpen
from services.intake.sealed_notes import Notes
from shared.runtime.db import Session
from shared.runtime.ids import new_id

TABLE = "determinations"


class Repatriating:
    """Determine, and permit or refuse."""

    def __init__(self, once: Once, notes: Notes, recusals: Recusals) -> None:
        self._once = once
        self._notes = notes
        self._recusals = recusals

    async def determine(
        self, ask: Asked, wanted: NewDetermination
    ) -> Answer | Unknown | KeyReused | StillOpen:
        """Answer one of the two questions for a child. A later answer takes its place."""

        async def work(session: Session) -> Answer | Unknown:
            child = await self._recusals.child(
                session, wanted.referral_id, wanted.child_id, ask.owner
            )
            if child is None:
                return Unknown()
            determination_id = new_id("det")
            note = wanted.model_dump(mode="json", include={"holds", "reasons"})
            row = DeterminationRow(
                determination_id,
                child.referral_id,
                child.child_id,
                wanted.finding.value,
                self._notes.seal(child.key, TABLE, determination_id, note),
                ask.owner,
                ask.now,
            )
            await store.keep(session, row)
            return answer(determination_id=determination_id)

        return await self._once.do(ask, work)

    async def permit(
        self, ask: Asked, wanted: NewRepatriation
    ) -> Answer | Unknown | Refuses | KeyReused | StillOpen:
        """Record a repatriation, if both determinations permit it."""

        async def work(session: Session) -> Answer | Unknown | Refuses:
            child = await self._recusals.child(
                session, wanted.referral_id, wanted.child_id, ask.owner
            )
            if child is None:
                return Unknown()
            outcome = gate.repatriate(await self._determined(session, child))
            if not isinstance(outcome, Permits):
                return outcome
            row = RepatriationRow(
                new_id("rep"), child.referral_id, child.child_id, ask.owner, ask.now
            )
            await store.keep(session, row)
            return answer(repatriation_id=row.repatriation_id, permitted_at=instant(ask.now))

        return await self._once.do(ask, work)

    async def _determined(self, session: Session, child: ChildRow) -> list[Determination]:
        return [
            Determination(
                Finding(row.finding),
                self._notes.open(child.key, TABLE, row.determination_id, row.sealed)["holds"],
            )
            for row in await store.determined(session, child.child_id)
        ]
