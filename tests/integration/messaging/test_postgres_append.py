"""Whom the PostgreSQL bus tells of what came: at once with a commit that waits for no disk, behind
it otherwise, because a commit that tells keeps every other one waiting that tells as well."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import pytest

from shared.contracts.base import Topic
from shared.messaging.bus import Outgoing
from shared.messaging.postgres import store
from shared.messaging.postgres.link import Link
from tests.integration.messaging.conftest import Service

BATCH = [
    Outgoing(Topic.REFERRALS, "a", b"1"),
    Outgoing(Topic.NOTICES, "a", b"2"),
    Outgoing(Topic.REFERRALS, "b", b"3"),
]


async def test_an_append_beside_its_outbox_tells_each_topics_readers_once(
    service: Service,
) -> None:
    ((home,),) = await service.fetch("SELECT pg_postmaster_start_time()")
    async with listening(service) as heard:
        assert await appended(service, home) is True
        assert await all_heard(heard, 2) == ["bus.notices", "bus.referrals"]


@pytest.mark.parametrize("home", [None, datetime.fromisoformat("2026-01-02T03:04:05Z")])
async def test_an_append_that_waits_for_the_disk_leaves_telling_to_who_asked_for_it(
    service: Service, home: datetime | None
) -> None:
    async with listening(service) as heard:
        assert await appended(service, home) is False
        await service.execute("SELECT pg_notify('bus.referrals', 'afterwards')")
        assert await all_heard(heard, 1) == ["bus.referrals"]


async def appended(service: Service, home: datetime | None) -> bool:
    link = Link(service.dsn, "test")
    told = await store.append(link, BATCH, home)
    records = await store.read(link, {"referrals": 0, "notices": 0}, 10)
    link.drop()
    assert [(each.topic, each.offset, each.body) for each in records] == [
        ("notices", 0, b"2"),
        ("referrals", 0, b"1"),
        ("referrals", 1, b"3"),
    ]
    return told


@asynccontextmanager
async def listening(service: Service) -> AsyncIterator[asyncio.Queue[str]]:
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(service.dsn)
    for topic in Topic:
        await connection.add_listener(f"bus.{topic.value}", lambda *told: heard.put_nowait(told[2]))
    yield heard
    await connection.close()


async def all_heard(heard: asyncio.Queue[str], number: int) -> list[str]:
    async with asyncio.timeout(5):
        found = sorted([await heard.get() for _ in range(number)])
    assert heard.empty()
    return found
