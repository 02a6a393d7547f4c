"""The placement gate: a facility is told, the telling is on record, then a placement stands."""

from dataclasses import dataclass
from typing import Any

from services.intake.answers import instant
from services.intake.child_store import ChildRow
from services.intake.contradictions import GRACE
from services.intake.digests import Digests
from services.intake.hart.recusing import Recusals
from services.intake.once import Answer, Asked, Once, answer
from services.intake.placements import gate, store
from services.intake.placements.gate import Confirmed, Confirms, Implicated, NotTold
from services.intake.placements.schemas import NewPlacement, Telling
from services.intake.placements.store import ConfirmationRow, PlacementRow, TellingRow
from services.intake.receiving import KeyReused, StillOpen
from services.intake.sealed_notes import Notes
from services.intake.strict_json import canonical
from shared.contracts.disclosures import ToldOrally
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session
from shared.runtime.ids import new_id

AUTHORITY = "DCF policy 21-14"
PURPOSE = "placement"


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no such child or placement, or the caller is kept out of the referral."""


@dataclass(frozen=True, slots=True)
class OutOfTime:
    """Nobody was told in the future."""


class Placing:
    """Propose, tell, confirm."""

    def __init__(
        self, once: Once, outbox: Outbox, notes: Notes, digests: Digests, recusals: Recusals
    ) -> None:
        self._once = once
        self._outbox = outbox
        self._notes = notes
        self._digests = digests
        self._recusals = recusals

    async def propose(
        self, ask: Asked, wanted: NewPlacement
    ) -> Answer | Unknown | KeyReused | StillOpen:
        """A placement that is not confirmed yet."""

        async def work(session: Session) -> Answer | Unknown:
            child = await self._recusals.child(
                session, wanted.referral_id, wanted.child_id, ask.owner
            )
            if child is None:
                return Unknown()
            placement_id = new_id("plc")
            note = wanted.model_dump(mode="json", include={"facility", "facility_implicated"})
            row = PlacementRow(
                placement_id,
                child.referral_id,
                child.child_id,
                self._notes.seal(child.key, "placements", placement_id, note),
                ask.owner,
                ask.now,
            )
            await store.keep(session, row)
            return answer(placement_id=placement_id)

        return await self._once.do(ask, work)

    async def tell(
        self, ask: Asked, placement_id: str, wanted: Telling
    ) -> Answer | Unknown | OutOfTime | KeyReused | StillOpen:
        """Record that the facility was told: a disclosure, with its own entry in the log."""

        async def work(session: Session) -> Answer | Unknown | OutOfTime:
            held = await self._hold(session, placement_id, ask.owner)
            if held is None:
                return Unknown()
            if (wanted.told_at or ask.now) > ask.now + GRACE:
                return OutOfTime()
            placement, child, note = held
            row = self._telling(ask, placement, child, note, wanted)
            await store.keep(session, row)
            await self._outbox.emit(session, ask.now, _told(placement, row))
            return answer(disclosure_id=row.disclosure_id, told_at=instant(row.occurred_at))

        return await self._once.do(ask, work)

    async def confirm(
        self, ask: Asked, placement_id: str
    ) -> Answer | Unknown | NotTold | Implicated | Confirmed | KeyReused | StillOpen:
        """Confirm a placement whose facility was told, in an earlier, committed telling."""

        async def work(
            session: Session,
        ) -> Answer | Unknown | NotTold | Implicated | Confirmed:
            held = await self._hold(session, placement_id, ask.owner)
            if held is None:
                return Unknown()
            _, _, note = held
            outcome = gate.confirm(
                await store.told(session, placement_id),
                implicated=note["facility_implicated"],
                confirmed=await store.confirmed(session, placement_id),
            )
            if not isinstance(outcome, Confirms):
                return outcome
            await store.keep(session, ConfirmationRow(placement_id, ask.owner, ask.now))
            return answer(placement_id=placement_id, confirmed_at=instant(ask.now))

        return await self._once.do(ask, work)

    async def _hold(
        self, session: Session, placement_id: str, person: str
    ) -> tuple[PlacementRow, ChildRow, dict[str, Any]] | None:
        row = await store.find(session, placement_id)
        if row is None:
            return None
        child = await self._recusals.child(session, row.referral_id, row.child_id, person)
        if child is None:
            return None
        return row, child, self._notes.open(child.key, "placements", placement_id, row.sealed)

    def _telling(
        self,
        ask: Asked,
        placement: PlacementRow,
        child: ChildRow,
        note: dict[str, Any],
        wanted: Telling,
    ) -> TellingRow:
        disclosure_id = new_id("dsc")
        fields = sorted({each.value for each in wanted.fields})
        whom = {
            "facility": note["facility"],
            "told": wanted.told,
            "position": wanted.position,
        }
        return TellingRow(
            disclosure_id=disclosure_id,
            placement_id=placement.placement_id,
            version=child.version,
            sealed=self._notes.seal(child.key, "tellings", disclosure_id, whom),
            fields=fields,
            actor=ask.owner,
            authority=AUTHORITY,
            purpose=PURPOSE,
            commitment=self._digests.commit(canonical({**whom, "fields": fields})),
            occurred_at=wanted.told_at or ask.now,
            recorded_at=ask.now,
        )


def _told(placement: PlacementRow, row: TellingRow) -> ToldOrally:
    return ToldOrally(
        referral_id=placement.referral_id,
        disclosure_id=row.disclosure_id,
        version=row.version,
        child_ids=(placement.child_id,),
        recipient_id=placement.placement_id,
        actor=row.actor,
        authority=row.authority,
        purpose=row.purpose,
        fields=tuple(row.fields),
        commitment=row.commitment,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
    )
