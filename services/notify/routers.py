"""Every router of the service."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter

from services.notify import window_store
from services.notify.api import router
from services.notify.areas import PROPOSABLES, area_routers
from services.notify.conflicts.api import conflict_router
from services.notify.conflicts.substitution import Substitutes
from services.notify.delivery.postroom import Postroom
from services.notify.delivery.signing import Signer
from services.notify.directory.api import directory_router
from services.notify.directory.in_force import Directories
from services.notify.directory.names_api import names_router
from services.notify.mailbox.wiring import mailbox_routers
from services.notify.oral.deciding_api import deciding_router
from services.notify.planning.drafting import Clerk
from services.notify.proposals.api import proposal_router
from services.notify.recalls.api import recall_router
from services.notify.recalls.recalling import Recalling
from services.notify.routing.api import routing_router
from services.notify.rulemaking.api import rules_router
from services.notify.rulemaking.rulebooks import Rulebooks
from shared.messaging.outbox import Outbox
from shared.runtime.closed_windows import window_routes
from shared.runtime.db import Database
from shared.runtime.sealing import Sealer


@dataclass(frozen=True)
class Routed:
    """What the routes stand on."""

    sealer: Sealer
    clerk: Clerk
    signer: Signer
    directories: Directories
    rulebooks: Rulebooks
    substitutes: Substitutes


def all_routers(
    db: Database, outbox: Outbox, parts: Routed, *, development: bool, keys: Path | None = None
) -> Sequence[APIRouter]:
    """`development`: samples may be proposed, and endpoints without TLS enrolled. `keys`: notify's,
    with the certificates that we show."""
    rulebooks, directories = parts.rulebooks, parts.directories
    postroom = Postroom(parts.sealer, parts.signer)
    return (
        router(db),
        routing_router(db, directories, rulebooks),
        rules_router(db, parts.clerk, directories, rulebooks),
        conflict_router(db, directories, parts.substitutes),
        directory_router(db, samples=development),
        proposal_router(db, PROPOSABLES),
        window_routes(db, window_store.KINDS),
        recall_router(db, Recalling(directories, rulebooks, parts.clerk, outbox)),
        names_router(db),
        mailbox_routers(db, outbox, parts.sealer, postroom, parts.substitutes),
        deciding_router(db, parts.sealer, parts.clerk, outbox),
        *area_routers(db, parts.signer, parts.sealer, development=development, keys=keys),
    )
