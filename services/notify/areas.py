"""The areas beside the notice itself, put together: controls, on call, enrolment."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from fastapi import APIRouter

from services.notify import shredding_store
from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.substitution import Substitutes
from services.notify.controls import hold_store, redrive_store
from services.notify.controls.api import halt_router
from services.notify.controls.halting import RELEASES
from services.notify.controls.held_api import held_router
from services.notify.controls.redrive_api import redrive_router
from services.notify.controls.redriving import REDRIVES, carry_on
from services.notify.delivery.signing import Signer
from services.notify.directory.changes import DIRECTORY_CHANGES
from services.notify.enrolment.api import enrolment_router
from services.notify.enrolment.challenge import Challenger
from services.notify.enrolment.enrolling import Enrolling
from services.notify.enrolment.expiring import EVERY_SECONDS, tell_expiring
from services.notify.mailbox import sweep_store
from services.notify.oldest_store import oldest
from services.notify.oncall import page_store
from services.notify.oncall.api import oncall_router
from services.notify.oncall.page_role import Chore
from services.notify.oncall.rostering import ROSTERS
from services.notify.oral import entering, entry_store
from services.notify.proposals.proposal import Proposables, ProposalKind
from services.notify.related import store as related_store
from services.notify.rulemaking.proposing import RULES
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database, Session
from shared.runtime.sealing import Sealer

PROPOSABLES: Proposables = {
    ProposalKind.DIRECTORY: DIRECTORY_CHANGES,
    ProposalKind.REDRIVE: REDRIVES,
    ProposalKind.RELEASE: RELEASES,
    ProposalKind.ROSTER: ROSTERS,
    ProposalKind.RULES: RULES,
}


def area_routers(
    db: Database, signer: Signer, sealer: Sealer, *, development: bool, keys: Path | None = None
) -> list[APIRouter]:
    """`development`: agencies may be enrolled whose endpoint is clear http. `keys`: notify's."""
    enrolling = Enrolling(db, Challenger(signer, allow_http=development, keys=keys))
    return [
        halt_router(db),
        held_router(db),
        redrive_router(db),
        oncall_router(db, sealer),
        enrolment_router(db, enrolling),
    ]


def chores(
    db: Database, keys: Path, sealer: Sealer, outbox: Outbox, substitutes: Substitutes
) -> Mapping[str, tuple[float, Chore]]:
    """What the role `page` does for them, with the seconds between two steps."""
    office = entering.Office(db, sealer, outbox, substitutes)
    return {
        "expiring": (EVERY_SECONDS, partial(tell_expiring, db, keys)),
        "redrives": (1.0, partial(carry_on, db)),
        "oral": (entering.EVERY_SECONDS, partial(entering.match_waiting, office)),
    }


_OLDEST = (
    hold_store.OLDEST,
    page_store.OLDEST,
    redrive_store.OLDEST,
    sweep_store.OLDEST,
    shredding_store.OLDEST,
    conflict_store.OLDEST,
    entry_store.OLDEST,
    related_store.OLDEST,
)


async def ages(session: Session) -> dict[str, float]:
    """The oldest of everything that waits in an area (P9)."""
    return await oldest(session, *_OLDEST)
