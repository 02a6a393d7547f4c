"""A referral's life around its receipt: calls before it; decisions, links and sameness after it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from services.intake.access import Hidden
from services.intake.blind import BlindIndex
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
from services.intake.matching import api as matching_api
from services.intake.matching import store as matching_store
from services.intake.matching.indexing import Indexing
from services.intake.matching.matching import Matching
from services.intake.once import Once
from services.intake.receiving import Receiving
from services.intake.sweeper import Chore
from services.intake.vault import Vault
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database, Session


@dataclass(frozen=True, slots=True)
class Parts:
    """What the areas are made of."""

    db: Database
    outbox: Outbox
    vault: Vault
    digests: Digests
    blind: BlindIndex
    receiving: Receiving
    towns: Collection[str]
    hidden: Hidden


@dataclass(frozen=True, slots=True)
class Life:
    """The areas' desks, and what the sweeper does for them."""

    calls: CallDesk
    decisions: DecisionDesk
    matching: Matching
    chores: Mapping[str, Chore]


def make_life(parts: Parts, patience: timedelta) -> Life:
    once = Once(parts.db, parts.digests)
    abandoning = Abandoning(parts.db, parts.outbox, patience)
    indexing = Indexing(parts.db, parts.vault, parts.blind)
    return Life(
        calls=_calls(parts, once),
        decisions=_decisions(parts, once),
        matching=Matching(parts.db, once, indexing, parts.hidden),
        chores={"calls": abandoning.once, "index": indexing.once},
    )


def life_routes(life: Life) -> Sequence[APIRouter]:
    return (
        calls_api.routes(life.calls),
        decisions_api.routes(life.decisions),
        matching_api.routes(life.matching),
    )


async def life_ages(session: Session) -> dict[str, float]:
    """What waits for a person or for the sweeper (P9)."""
    return await call_store.ages(session) | await matching_store.ages(session)


def _calls(parts: Parts, once: Once) -> CallDesk:
    receiving, sealer = parts.receiving, parts.vault.sealer
    calls = Calls(parts.db, once, receiving, sealer, parts.towns, parts.hidden)
    return CallDesk(calls, ReadingCalls(parts.db, parts.outbox, calls, parts.digests))


def _decisions(parts: Parts, once: Once) -> DecisionDesk:
    db, outbox, sealer, hidden = parts.db, parts.outbox, parts.vault.sealer, parts.hidden
    return DecisionDesk(
        db=db,
        deciding=Deciding(once, outbox, sealer, hidden),
        incidents=Incidents(db, sealer, hidden),
        withdrawing=Withdrawing(once, outbox, sealer, hidden),
        linking=Linking(db, once, outbox, parts.receiving, parts.towns, hidden),
        reading=ReadingFiles(db, outbox, sealer, parts.digests, hidden),
    )
