"""Beside the worker: mailboxes that nobody opens, and notices that nobody acknowledges (P9)."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from services.notify.mailbox import sweep_store
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import Role, sleep_unless

log = structlog.get_logger()

_EVERY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a recipient may take before a person is asked to call it."""

    unread: timedelta
    unacknowledged: timedelta


def reminding(db: Database, patience: Patience, work: Role) -> Role:
    """The role, and beside it a look at the mailboxes every half minute."""

    async def run(stop: asyncio.Event) -> None:
        sweeping = asyncio.create_task(_sweep_forever(db, patience, stop), name="mailboxes")
        try:
            await work(stop)
        finally:
            sweeping.cancel()
            await asyncio.wait((sweeping,))

    return run


async def sweep(db: Database, patience: Patience, now: datetime) -> int:
    """File what is overdue and has no task yet. How many."""
    async with db.transaction() as session:
        unread = await sweep_store.file_unread(session, now - patience.unread, now)
        silent = await sweep_store.file_unacknowledged(session, now - patience.unacknowledged, now)
    return unread + silent


async def _sweep_forever(db: Database, patience: Patience, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await sweep(db, patience, utc_now())
        except Exception as error:
            log.warning("mailboxes_not_swept", error=error)
        await sleep_unless(stop, _EVERY_SECONDS)
