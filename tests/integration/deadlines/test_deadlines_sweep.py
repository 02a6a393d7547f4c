"""P6: a breach is emitted exactly once, dated at its due time, however it was found."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from services.deadlines import store, sweep_store
from services.deadlines.sweeper import LEASE, Sweeper
from services.deadlines.timekeeper import Timekeeper
from services.deadlines.verdicts import PATIENCE, SETTLE
from shared.contracts.codes import HtType, Role
from shared.runtime.ids import utc_now
from tests.support.clock_events import told_orally
from tests.support.databases import FreshDatabase
from tests.support.deadlines import (
    CHILD,
    DUE,
    HOUR,
    LE,
    RECEIVED,
    REFERRAL,
    Service,
    amended,
    delivered,
    opaque,
    planned,
    received,
    refused,
    second_sweeper,
    service,
)

SECOND = timedelta(seconds=1)
SKEW = "hartline_deadlines_clock_skew_seconds"


class Death(BaseException):
    """What no code catches."""


APPROACHING = "hartline.deadline.approaching.v1"
BREACHED = "hartline.deadline.breached.v1"
CORRECTED = "hartline.deadline.breach_corrected.v1"


@pytest.fixture
async def deadlines(database: FreshDatabase) -> Service:
    return await service(database.open("deadlines"))


async def test_breach_is_dated_at_the_due_time_not_now(deadlines: Service) -> None:
    await deadlines.hear(received())
    late = DUE + 5 * HOUR
    swept = await deadlines.sweep_at(late)
    assert swept.breached == 4
    (event,) = await deadlines.emitted()
    assert event["type"] == BREACHED
    assert event["due_at"] == DUE.isoformat().replace("+00:00", "Z")
    assert event["discovered_at"] == late.isoformat().replace("+00:00", "Z")
    assert (event["policy"], event["policy_version"], event["child_id"]) == (
        "le12",
        "2026-2",
        CHILD,
    )
    clock = await deadlines.clock_of()
    assert (clock.state, clock.look_at, clock.due_at) == ("breached", None, DUE)


async def test_nothing_is_said_before_due(deadlines: Service) -> None:
    await deadlines.hear(received())
    assert (await deadlines.sweep_at(DUE - 5 * HOUR)).taken == 0
    assert deadlines.notify.asked == 0
    assert (await deadlines.sweep_at(DUE)).breached == 0
    assert {event["type"] for event in await deadlines.emitted()} <= {APPROACHING}
    assert (await deadlines.sweep_at(DUE + SETTLE)).breached == 4


async def test_a_breach_is_emitted_once_however_often_it_is_swept(deadlines: Service) -> None:
    await deadlines.hear(received())
    for hours in range(4):
        await deadlines.sweep_at(DUE + SETTLE + hours * HOUR)
    await deadlines.hear(planned("A", DUE + HOUR))
    await deadlines.sweep_at(DUE + 9 * HOUR)
    assert [event["type"] for event in await deadlines.emitted()] == [BREACHED]


async def test_a_satisfied_clock_is_never_looked_at(deadlines: Service) -> None:
    roles = (LE, Role.FBI, Role.CHIEF_STATES_ATTORNEY, Role.MDT)
    await deadlines.hear(received())
    for version, role in enumerate(roles, 1):
        await deadlines.hear(planned("A", role=role, version=1))
        await deadlines.hear(delivered("A", RECEIVED + version * HOUR, role=role))
    assert (await deadlines.sweep_at(DUE + HOUR)).taken == 0


async def test_an_empty_leg_is_breached(deadlines: Service) -> None:
    await deadlines.hear(received(), planned(""), refused([None]))
    await deadlines.sweep_at(DUE + SECOND)
    assert (await deadlines.clock_of()).lacking == "lawful_recipient"
    assert [event["type"] for event in await deadlines.emitted()] == [BREACHED]


async def test_a_backdated_referral_is_breached_when_it_is_heard_of(deadlines: Service) -> None:
    """DOMAIN C33: discovered late, emitted all the same, dated at its due time."""
    await deadlines.hear(received(recorded_at=RECEIVED + 20 * HOUR))
    await deadlines.sweep_at(RECEIVED + 20 * HOUR)
    (event,) = await deadlines.emitted()
    assert event["due_at"] == DUE.isoformat().replace("+00:00", "Z")


async def test_satisfied_late_is_recorded_and_the_breach_stands(deadlines: Service) -> None:
    await deadlines.hear(received(), planned("A"))
    await deadlines.sweep_at(DUE + SECOND)
    await deadlines.hear(delivered("A", DUE + HOUR))
    clock = await deadlines.clock_of()
    assert (clock.state, clock.satisfied_at) == ("satisfied_late", DUE + HOUR)
    assert [event["type"] for event in await deadlines.emitted()] == [BREACHED]


async def test_told_late_before_the_sweeper_looked_is_a_breach_all_the_same(
    deadlines: Service,
) -> None:
    await deadlines.hear(received(), planned("A"), delivered("A", DUE + SECOND))
    assert (await deadlines.clock_of()).state == "open"
    await deadlines.sweep_at(DUE + HOUR)
    assert (await deadlines.clock_of()).state == "satisfied_late"
    assert [event["type"] for event in await deadlines.emitted()] == [BREACHED]


async def test_a_late_fact_dated_in_time_corrects_the_breach_once(deadlines: Service) -> None:
    await deadlines.hear(received(), planned("AB"), delivered("B", RECEIVED))
    await deadlines.sweep_at(DUE + SECOND)
    deadlines.clock.now = DUE + HOUR
    await deadlines.hear(delivered("A", DUE))
    await deadlines.hear(delivered("A", DUE, version=2), delivered("B", RECEIVED + HOUR))
    breach, correction = await deadlines.emitted()
    assert (breach["type"], correction["type"]) == (BREACHED, CORRECTED)
    assert correction["satisfied_at"] == correction["due_at"] == breach["due_at"]
    assert correction["discovered_at"] == "2026-03-08T09:00:00Z"
    assert (await deadlines.clock_of()).state == "breached_then_corrected"


async def test_what_was_corrected_and_is_owed_again_is_announced_once_more(
    deadlines: Service,
) -> None:
    """And corrected once more, if a fact then says so."""
    await deadlines.hear(received(), planned("A"))
    await deadlines.sweep_at(DUE + SECOND)
    deadlines.clock.now = DUE + HOUR
    await deadlines.hear(told_orally("A", DUE - HOUR, recorded_at=DUE + HOUR))
    await deadlines.hear(amended(2, recorded_at=DUE), planned("AB", DUE - HOUR, version=2))
    assert (await deadlines.clock_of()).state == "open"
    for hours in (2, 3):
        await deadlines.sweep_at(DUE + hours * HOUR)
    assert (await deadlines.clock_of()).state == "breached"
    await deadlines.hear(told_orally("B", DUE - HOUR, version=2, recorded_at=DUE + 4 * HOUR))
    await deadlines.sweep_at(DUE + 5 * HOUR)
    said = [(event["type"], event["turn"], event["due_at"]) for event in await deadlines.emitted()]
    due = "2026-03-08T08:00:00Z"
    assert said == [
        (BREACHED, 1, due),
        (CORRECTED, 1, due),
        (BREACHED, 2, due),
        (CORRECTED, 2, due),
    ]
    assert (await deadlines.clock_of()).state == "breached_then_corrected"


async def test_amending_the_time_of_receipt_never_erases_a_breach(deadlines: Service) -> None:
    await deadlines.hear(received(), planned("A"))
    await deadlines.sweep_at(DUE + SECOND)
    later = DUE + 2 * HOUR
    await deadlines.hear(amended(2, at=RECEIVED + 2 * HOUR), delivered("A", DUE + HOUR))
    clock = await deadlines.clock_of()
    assert (clock.due_at, clock.state) == (later, "satisfied_late")
    await deadlines.sweep_at(later + HOUR)
    (event,) = await deadlines.emitted()
    assert event["due_at"] == DUE.isoformat().replace("+00:00", "Z")


async def test_a_due_time_amended_into_the_past_is_a_breach_at_that_time(
    deadlines: Service,
) -> None:
    await deadlines.hear(received())
    deadlines.clock.now = RECEIVED + HOUR
    await deadlines.hear(amended(2, at=RECEIVED - 20 * HOUR))
    await deadlines.sweep_at(RECEIVED + HOUR)
    (event,) = await deadlines.emitted()
    assert event["due_at"] == "2026-03-07T12:00:00Z"


async def test_a_reroute_after_due_is_a_breach_at_the_kept_due_time(deadlines: Service) -> None:
    """The agency that was told in time was not the one that had to be."""
    await deadlines.hear(received(), planned("A"), delivered("A", RECEIVED + HOUR))
    assert (await deadlines.clock_of()).look_at is None
    deadlines.clock.now = DUE + 8 * HOUR
    await deadlines.hear(planned("B", DUE + 8 * HOUR, version=2))
    await deadlines.sweep_at(DUE + 8 * HOUR)
    (event,) = await deadlines.emitted()
    assert event["due_at"] == DUE.isoformat().replace("+00:00", "Z")


# Waiting for facts that are on their way


async def test_a_breach_waits_for_notify_and_at_most_two_minutes(deadlines: Service) -> None:
    await deadlines.hear(received(), planned("A"))
    deadlines.notify.away = True
    moment = DUE + SETTLE
    while moment < DUE + PATIENCE:
        await deadlines.sweep_at(moment)
        assert await deadlines.emitted() == []
        moment = (await deadlines.clock_of()).look_at
    assert moment == DUE + PATIENCE
    await deadlines.sweep_at(moment)
    assert [event["type"] for event in await deadlines.emitted()] == [BREACHED]


async def test_a_fact_that_has_not_left_notify_is_waited_for(deadlines: Service) -> None:
    await deadlines.hear(received(), planned("A"))
    deadlines.notify.oldest = DUE - SECOND
    await deadlines.sweep_at(DUE + SECOND)
    await deadlines.hear(delivered("A", DUE - SECOND))
    deadlines.notify.oldest = None
    await deadlines.sweep_at(DUE + 10 * SECOND)
    assert await deadlines.emitted() == []
    assert (await deadlines.clock_of()).state == "satisfied"


async def test_an_event_on_the_bus_that_was_not_read_is_waited_for(deadlines: Service) -> None:
    """After an outage of deadlines: all has left notify, and lies unread on the bus."""
    await deadlines.hear(received(), planned("A"))
    deadlines.notify.sequences = {REFERRAL: 2}
    await deadlines.sweep_at(DUE + 6 * HOUR)
    assert await deadlines.emitted() == []
    await _stream(deadlines, cursor=1, highest=1)
    await deadlines.sweep_at(DUE + 6 * HOUR + 20 * SECOND)
    assert await deadlines.emitted() == []
    await deadlines.rows("UPDATE deadlines.inbox_streams SET cursor = 2, highest = 2 RETURNING 1")
    await deadlines.sweep_at(DUE + 6 * HOUR + 40 * SECOND)
    assert [event["type"] for event in await deadlines.emitted()] == [BREACHED]


async def test_another_referrals_backlog_at_notify_delays_nobody(deadlines: Service) -> None:
    await deadlines.hear(received())
    deadlines.notify.oldest = DUE - HOUR
    deadlines.notify.sequences = {REFERRAL: 0}
    await deadlines.sweep_at(DUE + SECOND)
    assert [event["type"] for event in await deadlines.emitted()] == [BREACHED]


async def test_an_unfinished_event_in_our_own_inbox_is_waited_for(deadlines: Service) -> None:
    await deadlines.hear(received())
    await _stream(deadlines, cursor=1, highest=2)
    await deadlines.sweep_at(DUE + SECOND)
    assert await deadlines.emitted() == []
    await deadlines.sweep_at(DUE + PATIENCE + SECOND)
    assert [event["type"] for event in await deadlines.emitted()] == [BREACHED]


async def _stream(deadlines: Service, cursor: int, highest: int) -> None:
    await deadlines.rows(
        "INSERT INTO deadlines.inbox_streams (topic, source, subject, cursor, highest) "
        "VALUES ('notices', '/hartline/notify', :id, :cursor, :highest) RETURNING 1",
        id=REFERRAL,
        cursor=cursor,
        highest=highest,
    )


# Restarts, crashes, and two at once


async def test_a_restart_forgets_nothing(database: FreshDatabase) -> None:
    first = await service(database.open("deadlines"))
    await first.hear(received())
    await first.db.close()
    second = await service(database.open("deadlines"))
    await second.sweep_at(DUE + SECOND)
    assert [event["type"] for event in await second.emitted()] == [BREACHED]


async def test_a_batch_whose_sweeper_died_is_taken_again_after_its_lease(
    deadlines: Service,
) -> None:
    await deadlines.hear(received())
    deadlines.clock.now = DUE + SECOND
    await deadlines.sweeper._take()
    assert (await deadlines.sweep_at(DUE + 2 * SECOND)).taken == 0
    assert (await deadlines.sweep_at(DUE + SECOND + LEASE)).breached == 4


async def test_a_death_before_the_commit_says_nothing_and_loses_nothing(
    deadlines: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: str) -> None:
        raise Death

    await deadlines.hear(received())
    with monkeypatch.context() as patched:
        patched.setattr("services.deadlines.sweeper.failpoint", die)
        with pytest.raises(Death):
            await deadlines.sweep_at(DUE + SECOND)
    assert await deadlines.emitted() == []
    assert (await deadlines.clock_of()).state == "open"
    await deadlines.sweep_at(DUE + LEASE + 2 * SECOND)
    assert [event["type"] for event in await deadlines.emitted()] == [BREACHED]


async def test_two_sweepers_at_once_never_double_and_leave_none_out(
    database: FreshDatabase,
) -> None:
    deadlines = await service(database.open("deadlines"))
    other = second_sweeper(deadlines, database.open("deadlines"))
    for number in range(60):
        ref, child = opaque("ref", number), opaque("chd", number)
        await deadlines.hear(received(ref, {child: HtType.SEX}))
    deadlines.clock.now = DUE + SECOND
    breached = 0
    for _ in range(4):
        one, two = await asyncio.gather(deadlines.sweeper.sweep_once(), other.sweep_once())
        breached += one.breached + two.breached
    events = await deadlines.emitted(role=None)
    assert breached == len(events) == 240
    assert len({event["clock_id"] for event in events}) == 240


async def test_a_clock_looked_at_twice_at_once_is_announced_once(database: FreshDatabase) -> None:
    """Even when a lease ran out under a sweeper that is still at work."""
    deadlines = await service(database.open("deadlines"))
    other = second_sweeper(deadlines, database.open("deadlines"))
    await deadlines.hear(received())
    deadlines.clock.now = DUE + SECOND
    first = await deadlines.sweeper._take()
    deadlines.clock.now = DUE + SECOND + LEASE
    second = await other._take()
    assert {due.clock_id for due in first} == {due.clock_id for due in second}
    watermarks = await deadlines.sweeper._neighbours.watermarks([REFERRAL])
    for sweeper, due in ((deadlines.sweeper, first), (other, second)):
        await sweeper._decide(due, watermarks)
    assert [event["type"] for event in await deadlines.emitted()] == [BREACHED]


async def test_a_referral_that_cannot_be_folded_holds_up_no_other(deadlines: Service) -> None:
    """Here: a clock under a policy version that only a newer process knows."""
    strange, child = opaque("ref", 7), opaque("chd", 7)
    await deadlines.hear(received(), received(strange, {child: HtType.SEX}))
    await deadlines.rows(
        "UPDATE deadlines.clocks SET policy_version = 'newer' WHERE referral_id = :id RETURNING 1",
        id=strange,
    )
    swept = await deadlines.sweep_at(DUE + SECOND)
    assert (swept.taken, swept.breached) == (8, 4)
    assert {event["referral_id"] for event in await deadlines.emitted(role=None)} == {REFERRAL}


async def test_what_a_handler_is_folding_is_left_alone_and_found_again(
    database: FreshDatabase,
) -> None:
    deadlines = await service(database.open("deadlines"))
    await deadlines.hear(received(), planned("A"))
    async with deadlines.db.transaction() as session:
        await store.hold_referrals(session, [REFERRAL])
        swept = await deadlines.sweep_at(DUE + SECOND)
    assert (swept.taken, swept.breached) == (4, 0)
    await deadlines.hear(delivered("A", DUE - SECOND))
    assert (await deadlines.clock_of()).state == "satisfied"
    assert (await deadlines.sweep_at(DUE + 2 * SECOND)).breached == 3


async def test_a_handler_gives_the_sweeper_back_what_it_kept_from_it(deadlines: Service) -> None:
    await deadlines.hear(received())
    deadlines.clock.now = DUE + SECOND
    await deadlines.sweeper._take()
    await deadlines.hear(planned("A"))
    assert (await deadlines.clock_of()).look_at == DUE - 4 * HOUR


async def test_the_sweeper_runs_when_the_next_clock_falls_due_and_ends_when_told(
    database: FreshDatabase,
) -> None:
    deadlines = await service(database.open("deadlines"))
    (row,) = await deadlines.rows("SELECT clock_timestamp() AS now")
    deadlines.clock.now = row.now
    await deadlines.hear(received(at=row.now - 12 * HOUR))
    stop = asyncio.Event()
    running = asyncio.create_task(deadlines.sweeper.run(stop))
    deadlines.clock.now = row.now + SECOND
    async with asyncio.timeout(5):
        while not await deadlines.emitted():
            await asyncio.sleep(0.02)
        stop.set()
        await running


@pytest.mark.parametrize("hours", [1, -1, 0])
async def test_a_host_whose_clock_is_off_announces_nothing_early_and_nothing_late(
    database: FreshDatabase, hours: int
) -> None:
    """Skew is bounded by the database's clock, and shown. Half an hour before due, then after."""
    deadlines = await service(database.open("deadlines"))
    (row,) = await deadlines.rows("SELECT clock_timestamp() AS now")
    host = Timekeeper(lambda: utc_now() + hours * HOUR)
    sweeper = Sweeper(deadlines.db, deadlines.keep._keeper, deadlines.sweeper._neighbours, host)
    deadlines.notify.clock.now = row.now + 2 * HOUR
    await deadlines.hear(received(at=row.now - 11.5 * HOUR))
    assert (await sweeper.sweep_once()).breached == 0
    assert abs((REGISTRY.get_sample_value(SKEW) or 0) - hours * 3600) < 60
    await deadlines.hear(amended(2, at=row.now - 12.5 * HOUR))
    assert (await sweeper.sweep_once()).breached == 4


async def test_a_sweep_reads_what_is_due_however_many_are_open(deadlines: Service) -> None:
    await deadlines.rows(
        "INSERT INTO deadlines.clocks SELECT 'clk' || n, 'ref' || n, 'chd', 'duty', 'fbi', 'p', "
        "'1', false, now(), now() + interval '9 hours', NULL, 'plan', 'open', "
        "now() + interval '9 hours' FROM generate_series(1, 20000) n RETURNING 1"
    )
    async with deadlines.db.transaction() as session:
        await session.execute(text("SET LOCAL enable_seqscan = on"))
        plan = "\n".join(
            row[0]
            for row in await session.execute(
                text(
                    "EXPLAIN SELECT clock_id FROM deadlines.clocks WHERE look_at <= now() "
                    "ORDER BY look_at LIMIT 128 FOR UPDATE SKIP LOCKED"
                )
            )
        )
        assert await sweep_store.claim_due(session, RECEIVED, DUE, 128) == []
    assert "ix_clocks_look_at" in plan
    assert "Seq Scan" not in plan
