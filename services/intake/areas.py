"""The areas beside the referral itself, put together: HART, operations, placements."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from fastapi import APIRouter

from services.intake.blind import BlindIndex
from services.intake.digests import Digests
from services.intake.hart import api as hart_api
from services.intake.hart import triage_store
from services.intake.hart.api import HartDesk
from services.intake.hart.case_store import MOST
from services.intake.hart.consulting import Consulting
from services.intake.hart.consults_api import ConsultDesk
from services.intake.hart.flagging import CaseSweep, Flagging
from services.intake.hart.histories import Histories
from services.intake.hart.reading import ConsultReading
from services.intake.hart.recusing import Recusals
from services.intake.hart.requesting import Requesting
from services.intake.hart.scale import load_scales
from services.intake.hart.triaging import Triage
from services.intake.majority.watching import MajorityWatch
from services.intake.once import Once
from services.intake.opening import Opening
from services.intake.operations import api as operations_api
from services.intake.operations.noticing import Noticing
from services.intake.placements import api as placements_api
from services.intake.placements.placing import Placing
from services.intake.placements.repatriating import Repatriating
from services.intake.sealed_notes import Notes
from services.intake.shredding import api as shredding_api
from services.intake.shredding.shredding import Shredding
from services.intake.sweeper import Chore
from services.intake.telling import api as telling_api
from services.intake.telling.reading import Telling
from services.intake.vault import Vault
from services.intake.viewing import Viewing
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database, Session
from shared.runtime.ids import utc_now


@dataclass(frozen=True, slots=True)
class Areas:
    """What the areas give the service: routes, what the sweeper does for them, and ages."""

    routers: tuple[APIRouter, ...]
    recusals: Recusals
    cases: CaseSweep
    chores: Mapping[str, Chore]

    async def ages(self, session: Session, now: datetime) -> dict[str, float]:
        """Seconds that the oldest 737 waits for triage, and a due flagged case for its finding."""
        return {
            "triage": await triage_store.oldest_waiting(session),
            "case_flag": await self.cases.oldest(session, now),
        }


def make_areas(
    db: Database,
    outbox: Outbox,
    vault: Vault,
    digests: Digests,
    blind: BlindIndex,
    viewing: Viewing,
    recusals: Recusals,
    patience: timedelta,
) -> Areas:
    """Everything that the areas stand on. `patience`: how long a flagged case may lack its 737."""
    once, notes = Once(db, digests), Notes(vault.sealer)
    opening, cases = Opening(outbox, digests), CaseSweep(outbox, patience)
    hart = _hart(db, outbox, once, notes, blind, digests, viewing, opening, recusals)
    placements = placements_api.Desk(
        Placing(once, outbox, notes, digests, recusals), Repatriating(once, notes, recusals)
    )
    telling = Telling(db, outbox, vault.sealer, Histories(notes, recusals), digests)
    return Areas(
        (
            telling_api.routes(telling),
            hart_api.routes(hart),
            operations_api.routes(Noticing(db, once, notes, opening)),
            placements_api.routes(placements),
            shredding_api.routes(Shredding(db, outbox)),
        ),
        recusals,
        cases,
        {
            "cases": partial(_sweep, db, cases),
            "majority": MajorityWatch(db, outbox, vault).once,
        },
    )


async def _sweep(db: Database, cases: CaseSweep) -> bool:
    async with db.transaction() as session:
        return await cases.sweep_once(session, utc_now()) == MOST


def _hart(
    db: Database,
    outbox: Outbox,
    once: Once,
    notes: Notes,
    blind: BlindIndex,
    digests: Digests,
    viewing: Viewing,
    opening: Opening,
    recusals: Recusals,
) -> HartDesk:
    histories = Histories(notes, recusals)
    scales = load_scales()
    consults = ConsultDesk(
        requesting=Requesting(once, outbox, histories, recusals),
        consulting=Consulting(once, outbox, histories, scales),
        reading=ConsultReading(db, outbox, histories, notes, digests),
        recusals=recusals,
        scales=scales,
    )
    return HartDesk(
        consults=consults,
        triage=Triage(db, once, viewing, recusals),
        flagging=Flagging(db, once, notes, blind, opening, recusals),
    )
