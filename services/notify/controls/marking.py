"""Around the deliver role: a restored database is found before anything is claimed, and after."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import text

from services.notify.controls import halting, marker, tables
from services.notify.controls.marker import Restored, Same
from shared.runtime.db import Database, Session
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import Role, sleep_unless
from shared.runtime.logging import where

log = structlog.get_logger()

EVERY_SECONDS = 10.0
_COUNT = text(
    f"INSERT INTO {tables.marks.fullname} AS m (id, count) VALUES (1, 1) "
    "ON CONFLICT (id) DO UPDATE SET count = m.count + 1 RETURNING count"
)
_READ = text(f"SELECT count FROM {tables.marks.fullname} FOR UPDATE")
_AHEAD = text(f"UPDATE {tables.marks.fullname} SET count = greatest(count, :count)")


def marked(db: Database, path: Path | None, deliver: Role) -> Role:
    """The role; not begun before the mark is compared, and the count goes on beside it.

    `path` None: nobody has asked for it, and a restored database is not noticed.
    """
    if path is None:
        return deliver

    async def run(stop: asyncio.Event) -> None:
        await look(db, path)
        beside = asyncio.create_task(_count_forever(db, path, stop), name="marker")
        try:
            await deliver(stop)
        finally:
            beside.cancel()
            await asyncio.wait((beside,))

    return run


async def look(db: Database, path: Path, clock: Callable[[], datetime] = utc_now) -> bool:
    """Compare, hold what is restored, count on. Whether the database was found restored."""
    async with db.transaction() as session:
        found = await _compare(session, path)
        if isinstance(found, Restored):
            await halting.hold_restored(session, clock())
        count = await session.scalar(_COUNT)
    await asyncio.to_thread(marker.write, path, count)
    if isinstance(found, Restored):
        log.error("database_restored")
    return isinstance(found, Restored)


async def _compare(session: Session, path: Path) -> Same | Restored:
    """The file is read while the row is locked: another process may be counting."""
    counted = await session.scalar(_READ) or 0
    written = await asyncio.to_thread(marker.read, path)
    found = marker.compare(counted, written)
    if isinstance(found, Restored):
        await session.execute(text("INSERT INTO notify.marks VALUES (1, 0) ON CONFLICT DO NOTHING"))
        await session.execute(_AHEAD, {"count": written or 0})
    return found


async def _count_forever(db: Database, path: Path, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await sleep_unless(stop, EVERY_SECONDS)
        try:
            await look(db, path)
        except Exception as error:
            log.warning("marker_not_moved", error=error, where=where(error))
