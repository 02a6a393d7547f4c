"""A chore: what runs out within 30 days becomes a task."""

from pathlib import Path

from services.notify.delivery.egress import Resolver
from services.notify.directory.authority import today
from services.notify.directory.endpoint_tls import ends_of
from services.notify.directory.endpoint_tls_store import in_force
from services.notify.enrolment import certificates, expiry_store
from services.notify.enrolment.expiry import ending, expiring
from services.notify.tasks import store as task_store
from shared.runtime.db import Database
from shared.runtime.ids import utc_now

EVERY_SECONDS = 600.0
_LOOKED_AT_ONCE = 20


async def tell_expiring(db: Database, keys: Path | None = None) -> int:
    """Look at some certificates, then file a task for each end that is near. How many are.

    `keys`: notify's, where the certificates are that we show.
    """
    await _look(db)
    now = utc_now()
    async with db.transaction() as session:
        lasting = await expiry_store.lasting(session)
        transports = await in_force(session, [each.agency_id for each in lasting], now)
        found = expiring(lasting, today(now)) + [
            task
            for agency_id, transport in transports.items()
            for task in ending(agency_id, ends_of(transport, keys), today(now))
        ]
        await task_store.file_tasks(session, found, now)
    return len(found)


async def _look(db: Database) -> None:
    async with db.transaction() as session:
        due = await expiry_store.to_look_at(session, utc_now(), _LOOKED_AT_ONCE)
    resolver = Resolver()
    try:
        for row in due:
            ends = await certificates.not_after(resolver, row.endpoint, row.allowed_networks)
            async with db.transaction() as session:
                await expiry_store.seen(session, row.agency_id, row.endpoint, ends, utc_now())
    finally:
        await resolver.close()
