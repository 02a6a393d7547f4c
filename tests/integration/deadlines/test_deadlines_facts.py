"""Facts are kept whenever they come, and clocks follow from them (P6)."""

import asyncio
from datetime import timedelta

import pytest
from asyncpg import PostgresError
from hypothesis import given, settings
from hypothesis import strategies as st

from services.deadlines import sweep_store
from services.deadlines.policy_files import load
from services.deadlines.policy_register import open_book
from services.deadlines.reading import FactBearing
from shared.contracts.codes import HtType, Role
from shared.runtime.errors import Misconfigured
from shared.runtime.migrate import check_drift
from tests.support.databases import FreshDatabase, TestServer, run_apart
from tests.support.deadlines import (
    DUE,
    HOUR,
    RECEIVED,
    REFERRAL,
    Service,
    amended,
    delivered,
    opaque,
    planned,
    received,
    refused,
    service,
)

CLOCK = "child_id, duty, role, policy, basis_at, due_at, satisfied_at, lacking, state, look_at"


@pytest.fixture
async def deadlines(database: FreshDatabase) -> Service:
    return await service(database.open("deadlines"))


async def test_a_referral_starts_a_clock_per_leg(deadlines: Service) -> None:
    await deadlines.hear(received())
    rows = await deadlines.rows("SELECT role, state, due_at, lacking FROM deadlines.clocks")
    assert {row.role for row in rows} == {
        Role.LOCAL_LAW_ENFORCEMENT,
        Role.FBI,
        Role.CHIEF_STATES_ATTORNEY,
        Role.MDT,
    }
    assert {(row.state, row.due_at, row.lacking) for row in rows} == {("open", DUE, "plan")}


async def test_deliveries_satisfy_the_clock_of_their_leg_alone(deadlines: Service) -> None:
    await deadlines.hear(received(), planned("A"), delivered("A", RECEIVED + HOUR))
    clock = await deadlines.clock_of()
    assert (clock.state, clock.satisfied_at, clock.look_at) == (
        "satisfied",
        RECEIVED + HOUR,
        None,
    )
    assert (await deadlines.clock_of(Role.FBI)).state == "open"


async def test_facts_without_a_clock_are_kept_and_count_when_it_comes(deadlines: Service) -> None:
    """The topics race: notify's facts may come before intake's."""
    await deadlines.hear(delivered("A", RECEIVED + HOUR), planned("A"))
    assert await deadlines.rows("SELECT 1 FROM deadlines.clocks") == []
    await deadlines.hear(received())
    assert (await deadlines.clock_of()).state == "satisfied"


async def test_an_event_handled_twice_leaves_its_facts_once(deadlines: Service) -> None:
    await deadlines.hear(received(), event_id="one")
    await deadlines.hear(received(), event_id="one")
    assert len(await deadlines.rows("SELECT 1 FROM deadlines.facts")) == 1
    assert len(await deadlines.rows("SELECT 1 FROM deadlines.clocks")) == 4


async def test_two_topics_at_once_never_miss_each_other(database: FreshDatabase) -> None:
    """Whoever commits second sees the other's facts, though at first there is no row to lock."""
    one = await service(database.open("deadlines"))
    two = await service(database.open("deadlines"))
    for number in range(10):
        ref, child = opaque("ref", number), opaque("chd", number)
        told = delivered("A", RECEIVED + HOUR, referral=ref, child=child)
        await asyncio.gather(
            one.hear(received(ref, {child: HtType.SEX})),
            two.hear(planned("A", referral=ref, child=child), told),
        )
    states = await one.rows(
        "SELECT state FROM deadlines.clocks WHERE role = 'local_law_enforcement'"
    )
    assert [row.state for row in states] == ["satisfied"] * 10


EVENTS = (
    received(),
    planned("AB"),
    refused("C", role=Role.FBI),
    delivered("A", RECEIVED + HOUR),
    amended(2, at=RECEIVED - HOUR),
    planned("AD", RECEIVED + 2 * HOUR, version=2),
    delivered("D", RECEIVED + 3 * HOUR, version=2),
)


@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(len(EVENTS))))
def test_any_order_of_arrival_ends_in_the_same_rows(postgres: TestServer, order: list[int]) -> None:
    async def arrive() -> list[tuple[object, ...]]:
        fresh = postgres.new_database()
        deadlines = await service(fresh.open("deadlines"))
        for place in order:
            await deadlines.hear(EVENTS[place])
        rows = await deadlines.rows(f"SELECT {CLOCK} FROM deadlines.clocks ORDER BY duty")
        await fresh.close()
        postgres.drop(fresh)
        return [tuple(row) for row in rows]

    rows = run_apart(arrive())
    states = {row[1]: (row[8], row[6], row[5]) for row in rows}
    assert states["tell_local_law_enforcement"] == (
        "satisfied",
        RECEIVED + 3 * HOUR,
        DUE - HOUR,
    )
    assert states["tell_fbi"][0] == "open"


async def test_amending_the_time_of_receipt_moves_the_due_time(deadlines: Service) -> None:
    await deadlines.hear(received(), amended(2, at=RECEIVED - HOUR))
    clock = await deadlines.clock_of()
    assert (clock.basis_at, clock.due_at) == (RECEIVED - HOUR, DUE - HOUR)
    assert clock.look_at < DUE


async def test_a_clock_keeps_its_id_and_due_time_through_every_plan(deadlines: Service) -> None:
    await deadlines.hear(received(), planned("A"), delivered("A", RECEIVED + HOUR))
    before = await deadlines.clock_of()
    await deadlines.hear(planned("B", RECEIVED + 4 * HOUR, version=2))
    after = await deadlines.clock_of()
    assert (after.clock_id, after.due_at, after.state) == (before.clock_id, DUE, "open")
    assert after.lacking == "delivery"


@pytest.mark.parametrize("table", ["facts", "announcements", "moves", "policies"])
async def test_what_was_said_cannot_be_changed_or_erased(deadlines: Service, table: str) -> None:
    await deadlines.hear(received())
    await deadlines.sweep_at(DUE + HOUR)
    await deadlines.hear(amended(2, at=RECEIVED - HOUR))
    for statement in (f"DELETE FROM deadlines.{table}", f"TRUNCATE deadlines.{table} CASCADE"):
        with pytest.raises(PostgresError, match=r"permission denied|append-only"):
            await deadlines.rows(statement)


async def test_a_used_policy_version_may_not_read_differently(deadlines: Service) -> None:
    changed = [policy.model_copy(update={"words": "Otherwise."}) for policy in load()]
    with pytest.raises(Misconfigured, match=r"give the new one a version of its own"):
        await open_book(deadlines.db, changed)
    new = [policy.model_copy(update={"version": "2"}) for policy in changed]
    book = await open_book(deadlines.db, new)
    assert book.get(("le12", "2026-2")).words != book.get(("le12", "2")).words


async def test_the_ages_say_what_is_overdue_and_what_comes_next(deadlines: Service) -> None:
    """P9."""
    now = deadlines.clock.now
    async with deadlines.db.transaction() as session:
        assert await sweep_store.waiting(session) == (0.0, None, 0)
    await deadlines.hear(received())
    async with deadlines.db.transaction() as session:
        overdue, next_due, soon = await sweep_store.waiting(session)
    assert overdue > 0
    assert next_due is None
    assert soon == 4
    assert now == RECEIVED


async def test_next_due_counts_down_to_the_soonest_open_clock(deadlines: Service) -> None:
    (row,) = await deadlines.rows("SELECT clock_timestamp() AS now")
    await deadlines.hear(received(at=row.now))
    async with deadlines.db.transaction() as session:
        overdue, next_due, soon = await sweep_store.waiting(session)
    assert overdue == soon == 0
    assert next_due == pytest.approx(timedelta(hours=12).total_seconds(), abs=30)


def test_code_and_schema_agree(database: FreshDatabase) -> None:
    check_drift("deadlines", database.dsns["deadlines"].owner)


async def test_one_referral_is_not_mixed_up_with_another(deadlines: Service) -> None:
    other, child = opaque("ref", 2), opaque("chd", 2)
    await deadlines.hear(received(), received(other, {child: HtType.LABOR}))
    rows = await deadlines.rows(
        "SELECT referral_id, policy FROM deadlines.clocks WHERE role = 'local_law_enforcement'"
    )
    assert {(row.referral_id, row.policy) for row in rows} == {
        (REFERRAL, "le12"),
        (other, "le12_labor"),
    }


async def test_what_is_ready_is_folded_together_like_one_after_the_other(
    deadlines: Service,
) -> None:
    events: list[FactBearing] = []
    for number in range(3):
        ref, child = opaque("ref", number), opaque("chd", number)
        events += [
            delivered("A", RECEIVED + HOUR, referral=ref, child=child),
            planned("A", referral=ref, child=child),
            received(ref, {child: HtType.SEX}),
        ]
    await deadlines.hear_together(events)
    rows = await deadlines.rows(
        "SELECT state FROM deadlines.clocks WHERE role = 'local_law_enforcement'"
    )
    assert [row.state for row in rows] == ["satisfied"] * 3


async def test_batches_that_share_referrals_never_wait_for_each_other_for_ever(
    database: FreshDatabase,
) -> None:
    one = await service(database.open("deadlines"))
    two = await service(database.open("deadlines"))
    referrals = {opaque("ref", n): opaque("chd", n) for n in range(40)}
    told = [received(ref, {child: HtType.SEX}) for ref, child in referrals.items()]
    plans = [planned("A", referral=ref, child=child) for ref, child in referrals.items()]
    async with asyncio.timeout(10):
        await asyncio.gather(one.hear_together(told), two.hear_together(plans[::-1]))
    rows = await one.rows("SELECT lacking FROM deadlines.clocks WHERE role = 'fbi'")
    assert [row.lacking for row in rows] == ["lawful_recipient"] * 40
