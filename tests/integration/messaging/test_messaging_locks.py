"""Whoever locks several streams locks them by key, so that no two wait in a circle."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import text

from shared.messaging.arrivals import Arrivals
from shared.messaging.bus import Batch
from shared.messaging.streams import Claimed, new_token
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import Service, record

_LOCK = text("SELECT FROM svc.inbox_streams WHERE subject = :subject FOR UPDATE NOWAIT")
_WAITING = (
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)

Touch = Callable[[Service, list[Claimed]], Coroutine[Any, Any, int]]


async def finish(service: Service, leased: list[Claimed]) -> int:
    async with service.db.transaction() as session:
        return len((await service.streams.finish(session, leased))[0])


async def take_more(service: Service, leased: list[Claimed]) -> int:
    more = [record(10 + n, each.subject, 2) for n, each in enumerate(leased)]
    return await take(service, more)


async def take(service: Service, records: list[Any]) -> int:
    batch = Batch(records, {("referrals", 0): records[-1].offset + 1})
    async with service.db.connection() as session:
        taken = await Arrivals(service.inbox_tables).take(
            session, batch, lambda _: None, new_token()
        )
    assert taken is not None
    return taken[1]


@pytest.mark.parametrize("touch", [finish, take_more])
async def test_streams_are_locked_by_key_in_whatever_order_they_are_given(
    service: Service, touch: Touch
) -> None:
    """Who waits for the first of them holds none of the others."""
    subjects = sorted(new_id("ref") for _ in range(3))
    await take(service, [record(n, each, 1) for n, each in enumerate(subjects)])
    async with service.db.transaction() as session:
        leased = await service.streams.claim(session, owner=1, limit=3)
    leased.sort(key=lambda each: each.subject, reverse=True)
    async with service.db.transaction() as session:
        await session.execute(_LOCK, {"subject": subjects[0]})
        touching = asyncio.create_task(touch(service, leased))
        async with asyncio.timeout(10):
            while not await service.fetch(_WAITING):
                await asyncio.sleep(0.01)
        for each in subjects[1:]:
            await session.execute(_LOCK, {"subject": each})
    assert await touching == 3
