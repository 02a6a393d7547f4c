"""P6: a breach waits, two minutes at most, for facts of intake's that are on their way."""

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from services.deadlines.neighbours import Neighbours, Watermark
from services.deadlines.sweeper import Sweeper
from services.deadlines.timekeeper import Timekeeper
from services.deadlines.verdicts import MINUTE, PATIENCE, SETTLE
from shared.contracts.base import Source
from tests.support.clock_events import consult_completed, consult_requested, withdrawn
from tests.support.databases import FreshDatabase
from tests.support.deadlines import (
    DUE,
    HOUR,
    RECEIVED,
    REFERRAL,
    Service,
    SetClock,
    planned,
    received,
    service,
)

SECOND = timedelta(seconds=1)
CONSULT_DUE = RECEIVED + 72 * HOUR
BREACHED = "hartline.deadline.breached.v1"
CORRECTED = "hartline.deadline.breach_corrected.v1"


@pytest.fixture
async def deadlines(database: FreshDatabase) -> Service:
    return await service(database.open("deadlines"))


async def said(deadlines: Service, policy: str) -> list[str]:
    events = await deadlines.emitted(role=None)
    types = [event["type"] for event in events if event["policy"] == policy]
    return [each for each in types if each in (BREACHED, CORRECTED)]


async def waits_two_minutes(deadlines: Service, policy: str, due: datetime) -> None:
    """Nothing is said of it for as long, and then it is."""
    moment = due + SETTLE
    while moment < due + PATIENCE:
        await deadlines.sweep_at(moment)
        assert await said(deadlines, policy) == []
        moment += SECOND
    await deadlines.sweep_at(due + PATIENCE)
    assert await said(deadlines, policy) == [BREACHED]


async def test_a_consult_that_has_not_left_intake_is_waited_for(deadlines: Service) -> None:
    await deadlines.hear(received(), consult_requested(RECEIVED))
    deadlines.intake.oldest = CONSULT_DUE - SECOND
    await deadlines.sweep_at(CONSULT_DUE + SECOND)
    await deadlines.hear(consult_completed(CONSULT_DUE - 5 * SECOND))
    deadlines.intake.oldest = None
    for seconds in (10, 20, 200):
        await deadlines.sweep_at(CONSULT_DUE + seconds * SECOND)
    assert await said(deadlines, "hart72") == []


async def test_an_event_of_intakes_that_was_not_read_is_waited_for(deadlines: Service) -> None:
    """By its number: all has left intake, and lies unread on the bus."""
    await deadlines.hear(received(), consult_requested(RECEIVED))
    deadlines.intake.sequences = {REFERRAL: 3}
    await waits_two_minutes(deadlines, "hart72", CONSULT_DUE)


async def test_while_intake_is_away_a_breach_waits_two_minutes_at_most(
    deadlines: Service,
) -> None:
    await deadlines.hear(received(), consult_requested(RECEIVED))
    deadlines.intake.away = True
    await waits_two_minutes(deadlines, "hart72", CONSULT_DUE)


async def test_while_notify_is_away_a_consult_that_is_overdue_waits_for_nothing(
    deadlines: Service,
) -> None:
    await deadlines.hear(received(), consult_requested(RECEIVED))
    deadlines.notify.away = True
    await deadlines.sweep_at(CONSULT_DUE - HOUR)
    await deadlines.sweep_at(CONSULT_DUE + SECOND)
    assert await said(deadlines, "hart72") == [BREACHED]


async def test_a_report_entered_in_error_that_is_on_its_way_is_no_breach_of_anything(
    deadlines: Service,
) -> None:
    await deadlines.hear(received())
    deadlines.intake.sequences = {REFERRAL: 2}
    await deadlines.sweep_at(DUE + SECOND)
    await deadlines.hear(withdrawn(DUE - SECOND))
    deadlines.intake.sequences = {}
    for seconds in (10, 200):
        await deadlines.sweep_at(DUE + seconds * SECOND)
    assert await said(deadlines, "le12") == []


class Jumping:
    """A host's clock that is ahead by `off`, and intake, while whose answer it jumps."""

    def __init__(self, deadlines: Service) -> None:
        self._deadlines = deadlines
        self.off = timedelta(0)

    def __call__(self) -> datetime:
        return self._deadlines.clock.now + self.off

    async def watermark(self, referral_ids: Sequence[str]) -> Watermark | None:
        self.off = 30 * HOUR
        return await self._deadlines.intake.watermark(referral_ids)


class OfTheDatabase(Timekeeper):
    """Compares with the tests' clock instead of the database's."""

    def __init__(self, host: Jumping, database: SetClock) -> None:
        super().__init__(host)
        self._database = database

    def compare(self, database: datetime) -> None:
        super().compare(self._database.now)


async def test_a_host_whose_clock_jumps_while_the_others_are_asked_puts_no_breach_off(
    deadlines: Service,
) -> None:
    await deadlines.hear(received(), planned("A"))
    host = Jumping(deadlines)
    clock = OfTheDatabase(host, deadlines.clock)
    neighbours = Neighbours({Source.INTAKE: host, Source.NOTIFY: deadlines.notify})
    sweeper = Sweeper(deadlines.db, deadlines.keep._keeper, neighbours, clock)
    for early in (239, 59):
        deadlines.clock.now = DUE - early * MINUTE
        await sweeper.sweep_once()
        assert (await deadlines.clock_of()).look_at <= DUE + SETTLE
        assert await said(deadlines, "le12") == []
        host.off = timedelta(0)
    await deadlines.sweep_at(DUE + SECOND)
    assert await said(deadlines, "le12") == [BREACHED]


async def test_waiting_since_a_time_that_has_not_come_is_waiting_since_now(
    deadlines: Service,
) -> None:
    """What a clock that ran ahead has left behind."""
    await deadlines.hear(received())
    deadlines.intake.away = True
    await deadlines.rows(
        "UPDATE deadlines.clocks SET waiting_since = :at RETURNING 1", at=DUE + HOUR
    )
    await waits_two_minutes(deadlines, "le12", DUE + SECOND)


async def test_a_neighbour_whose_clock_is_ahead_is_shown_and_makes_no_breach_early(
    deadlines: Service,
) -> None:
    await deadlines.hear(received(), planned("A"))
    deadlines.notify.off = HOUR
    await deadlines.sweep_at(DUE - SECOND)
    assert await said(deadlines, "le12") == []
    assert (skew("notify"), skew("intake")) == (3600, 0)
    await deadlines.sweep_at(DUE + SECOND)
    assert await said(deadlines, "le12") == [BREACHED]


async def test_a_neighbour_whose_clock_is_behind_is_shown_and_delays_a_breach_two_minutes(
    deadlines: Service,
) -> None:
    await deadlines.hear(received(), planned("A"))
    deadlines.notify.off = -HOUR
    await waits_two_minutes(deadlines, "le12", DUE)
    assert (skew("notify"), skew("intake")) == (-3600, 0)
    deadlines.notify.away = True
    await deadlines.sweeper._neighbours.watermarks(())
    assert math.isnan(skew("notify"))


async def test_clocks_are_compared_while_nothing_is_due(deadlines: Service) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(deadlines.sweeper.run(stop))
    deadlines.intake.off = -2 * HOUR
    async with asyncio.timeout(5):
        while skew("intake") != -7200:
            await asyncio.sleep(0.02)
        stop.set()
        await running
    assert deadlines.intake.asked == 1


def skew(neighbour: str) -> float:
    name = "hartline_deadlines_neighbour_skew_seconds"
    found = REGISTRY.get_sample_value(name, {"neighbour": neighbour})
    assert found is not None
    return found
