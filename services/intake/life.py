"""A referral's life around its receipt: calls before it; decisions, links and sameness after it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.calls import api as calls_api
from services.intake.calls import store as call_store
from services.intake.calls.abandoning import Abandoning
from services.intake.calls.api import CallDesk
from services.intake.calls.keeping import Calls
from services.intake.calls.reading import ReadingCalls
from services.intake.decisions import api as decisions_api
from services.intake.decisions.api import DecisionDesk
from services.intake.decisions.deciding import Deciding
from services.intake.decisions.incidents import Incidents
from services.intake.decisions.linking import Linking
from services.intake.decisions.reading import ReadingFiles
from services.intake.decisions.withdrawing import Withdrawing
from services.intake.digests import Digests
from services.intake.once import Once
from services.intake.receiving import Receiving
from services.intake.sweeper import Chore
from services.intake.vault import Vault
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database

PATIENCE = timedelta(minutes=15)
"""How long an open call may be left alone, unless the settings say otherwise."""


@dataclass(frozen=True, slots=True)
class Life:
    """The areas' desks, and what the sweeper does for them."""

    calls: CallDesk
    decisions: DecisionDesk
    chores: Mapping[str, Chore]


def make_life(
    db: Database,
    outbox: Outbox,
    vault: Vault,
    digests: Digests,
    receiving: Receiving,
    towns: Collection[str],
    patience: timedelta = PATIENCE,
) -> Life:
    once = Once(db, digests)
    calls = Calls(db, once, receiving, vault.sealer, towns)
    abandoning = Abandoning(db, outbox, patience)
    return Life(
        calls=CallDesk(once, calls, ReadingCalls(db, outbox, calls, digests)),
        decisions=DecisionDesk(
            db=db,
            once=once,
            deciding=Deciding(once, outbox, vault.sealer),
            incidents=Incidents(db, vault.sealer),
            withdrawing=Withdrawing(once, outbox, vault.sealer),
            linking=Linking(db, once, outbox, receiving, towns),
            reading=ReadingFiles(db, outbox, vault.sealer, digests),
        ),
        chores={"calls": abandoning.once},
    )


def life_routes(life: Life) -> Sequence[APIRouter]:
    return (calls_api.routes(life.calls), decisions_api.routes(life.decisions))


async def life_ages(session: AsyncSession) -> dict[str, float]:
    """What waits for a person or for the sweeper (P9)."""
    return await call_store.ages(session)
