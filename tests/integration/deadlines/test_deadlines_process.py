"""The process: it starts only when it can, survives SIGKILL between any two steps, and drains."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.contracts.codes import HtType
from tests.support.databases import FreshDatabase
from tests.support.deadlines import HOUR, Service, opaque, received, service
from tests.support.deadlines_process import (
    DeadlinesProcess,
    deadlines_process,
    neighbour_with_a_watermark,
)

pytestmark = pytest.mark.slow


@pytest.fixture
async def process(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[DeadlinesProcess]:
    async with neighbour_with_a_watermark() as url:
        process = deadlines_process(database, tmp_path, url)
        yield process
        process.kill()


@pytest.fixture
async def deadlines(database: FreshDatabase) -> Service:
    """A referral received 20 hours ago, of which nothing is known but that."""
    deadlines = await service(database.open("deadlines"))
    (row,) = await deadlines.rows("SELECT clock_timestamp() AS now")
    deadlines.clock.now = row.now
    for number in range(3):
        children = {opaque("chd", number): HtType.SEX}
        await deadlines.hear(received(opaque("ref", number), children, row.now - 20 * HOUR))
    return deadlines


async def breached(deadlines: Service) -> list[str]:
    """The clocks of all breaches emitted, once there are twelve."""
    async with asyncio.timeout(30):
        while len(events := await deadlines.emitted(role=None)) < 12:
            await asyncio.sleep(0.05)
    return sorted(event["clock_id"] for event in events)


@pytest.mark.parametrize("point", ["before_commit", "after_commit"])
async def test_a_sweeper_killed_around_its_commit_loses_and_doubles_nothing(
    process: DeadlinesProcess, deadlines: Service, point: str
) -> None:
    """P6."""
    process.arm(f"deadlines.sweep.{point}")
    await process.start("sweep")
    assert await process.ended() == -9
    assert len(await deadlines.emitted(role=None)) == (12 if point == "after_commit" else 0)
    await process.start("sweep")
    said = await breached(deadlines)
    assert len(said) == len(set(said)) == 12
    states = await deadlines.rows("SELECT DISTINCT state FROM deadlines.clocks")
    assert [row.state for row in states] == ["breached"]
    assert await process.stop() == 0


async def test_every_role_in_one_process_counts_its_breaches_and_drains(
    process: DeadlinesProcess, deadlines: Service
) -> None:
    await process.start()
    await breached(deadlines)
    async with asyncio.timeout(10):
        while 'breaches_total{policy="le12"} 3.0' not in await process.metrics():
            await asyncio.sleep(0.05)
    said = await process.metrics()
    assert 'hartline_oldest_age_seconds{service="deadlines",what="clock"} 0.0' in said
    assert await process.stop() == 0


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("HARTLINE_DEADLINES_DSN", None, "HARTLINE_DEADLINES_DSN is not set: set it."),
        ("HARTLINE_INTAKE_URL", None, "HARTLINE_INTAKE_URL is not set: set it."),
        ("HARTLINE_NOTIFY_URL", None, "HARTLINE_NOTIFY_URL is not set: set it."),
        ("HARTLINE_NOTIFY_URL", "notify:1", "HARTLINE_NOTIFY_URL: "),
        ("HARTLINE_LOCAL_ISSUER_KEY", None, "HARTLINE_INTERNAL_TOKEN is not set: set it to "),
    ],
)
async def test_it_does_not_start_misconfigured_and_says_what_to_do(
    process: DeadlinesProcess, setting: str, value: str | None, sentence: str
) -> None:
    del process.environment[setting]
    if value is not None:
        process.environment[setting] = value
    await process.start()
    assert await process.ended() == 2
    assert sentence in process.stderr.read_text()


async def test_it_does_not_start_on_a_schema_that_is_behind(
    process: DeadlinesProcess, database: FreshDatabase
) -> None:
    owner = database.open("deadlines", owner=True)
    async with owner.transaction() as session:
        await session.execute(text("DELETE FROM deadlines.alembic_version"))
    await process.start()
    assert await process.ended() == 2
    assert "run alembic -n deadlines upgrade head" in process.stderr.read_text()
