"""Paging as a process of its own, to be killed: its DSN."""

import asyncio

from services.notify.oncall.heartbeat import Pulses
from services.notify.oncall.page_role import page_role
from services.notify.oncall.paging import Paging
from services.notify.oncall.roster import ChannelKind
from shared.runtime.db import Database
from shared.runtime.lifecycle import run_roles
from shared.runtime.wakes import Wakes
from tests.support.rosters import LOCAL_PAGER


def main(arguments: list[str]) -> int:
    (dsn,) = arguments
    asyncio.run(_main(dsn))
    return 0


async def _main(dsn: str) -> None:
    db = Database.open(dsn, Wakes(), name="test-page-process")
    paging = Paging(db, {ChannelKind.WEBHOOK: LOCAL_PAGER}, (), "https://console.test/tasks")
    await run_roles({"page": page_role({"paging": (0.2, paging.once)}, Pulses())})
    await db.close()
