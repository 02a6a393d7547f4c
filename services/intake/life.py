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
        chores={"calls": abandoning.once},
    )


def life_routes(life: Life) -> Sequence[APIRouter]:
    return (calls_api.routes(life.calls),)


async def life_ages(session: AsyncSession) -> dict[str, float]:
    """What waits for a person or for the sweeper (P9)."""
    return await call_store.ages(session)
