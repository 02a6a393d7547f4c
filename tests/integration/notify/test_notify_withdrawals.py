"""A referral is withdrawn: who is told, in which order, and who hears nothing (C13, C14)."""

from pathlib import Path

import pytest
from sqlalchemy import text

from services.notify import models
from services.notify.delivery.releasing import release_once
from services.notify.tasks import tables as task_tables
from shared.contracts.codes import Stage, WithdrawalCause
from shared.contracts.disclosures import DisclosuresRefused
from shared.contracts.notices import NoticesPlanned, NoticesRefused, NoticesWithdrawn
from tests.support.databases import FreshDatabase
from tests.support.planning import CSA, FBI, LEAD, MDT, POLICE, Child
from tests.support.stages import OFFICE, Staging

WITHDRAWAL = "withdrawal"
EVERYBODY = {POLICE, LEAD, FBI, CSA, MDT}


@pytest.fixture
async def staging(database: FreshDatabase, tmp_path: Path) -> Staging:
    return await Staging.of(database.open("notify"), tmp_path)


async def withdraw(
    staging: Staging, referral_id: str, cause: WithdrawalCause, version: int = 1
) -> None:
    await staging.handle(staging.withdrawn(referral_id, cause, version))


async def test_c14_entered_in_error_cancels_what_nobody_has_tried_and_tells_nobody_of_it(
    staging: Staging,
) -> None:
    referral_id = await staging.receive(Child())
    await withdraw(staging, referral_id, WithdrawalCause.ENTERED_IN_ERROR)
    assert await staging.states("received") == {(each, 1, "withdrawn") for each in EVERYBODY}
    assert await staging.told(WITHDRAWAL) == set()
    (withdrawn,) = [e for e in await staging.emitted() if isinstance(e, NoticesWithdrawn)]
    assert {each.agency_id for each in withdrawn.notices} == EVERYBODY


async def test_c13_and_c14_entered_in_error_tells_whoever_may_hold_it_and_only_why(
    staging: Staging,
) -> None:
    referral_id = await staging.receive(Child())
    await staging.set_state(FBI, "delivered", "completed")
    await staging.set_state(CSA, "pending", "unknown")
    await staging.set_state(LEAD, "pending", "failed")
    await withdraw(staging, referral_id, WithdrawalCause.ENTERED_IN_ERROR)
    assert await staging.states(WITHDRAWAL) == {(FBI, 1, "pending"), (CSA, 1, "pending")}
    told = [n for n in await staging.rows(models.notices) if n["series"] == WITHDRAWAL]
    for notice in told:
        assert (notice["profile"], notice["cause"]) == (None, "entered_in_error")
        assert notice["fields"] == ["withdrawal.cause"]
    (planned,) = [
        e
        for e in await staging.emitted()
        if isinstance(e, NoticesPlanned) and e.stage is Stage.WITHDRAWN
    ]
    assert {n.agency_id for n in planned.notices} == {FBI, CSA}


async def test_p8_entered_in_error_waits_for_the_attempt_in_flight_which_is_its_last(
    staging: Staging,
) -> None:
    referral_id = await staging.receive(Child())
    await staging.set_state(FBI, "attempting", None)
    await withdraw(staging, referral_id, WithdrawalCause.ENTERED_IN_ERROR)
    (fbi,) = [
        d
        for d in await staging.rows(models.deliveries)
        if d["agency_id"] == FBI and d["series"] == "received"
    ]
    assert (fbi["state"], fbi["withdrawn"]) == ("attempting", True)
    assert await staging.states(WITHDRAWAL) == {(FBI, 1, "blocked")}
    await release_once(staging.db)
    assert await staging.states(WITHDRAWAL) == {(FBI, 1, "blocked")}


@pytest.mark.parametrize("cause", [WithdrawalCause.FALSE_REPORT, WithdrawalCause.MISTAKEN_REPORT])
async def test_c14_and_p8_the_original_goes_first_and_then_the_withdrawal(
    staging: Staging, cause: WithdrawalCause
) -> None:
    referral_id = await staging.receive(Child())
    await staging.set_state(FBI, "delivered", "completed")
    await withdraw(staging, referral_id, cause)
    assert await staging.states("received") == {
        (each, 1, "delivered" if each == FBI else "pending") for each in EVERYBODY
    }
    assert await staging.states(WITHDRAWAL) == {
        (each, 1, "pending" if each == FBI else "blocked") for each in EVERYBODY
    }
    await staging.set_state_of(CSA, "received", "delivered", "completed")
    await release_once(staging.db)
    assert {s for a, _, s in await staging.states(WITHDRAWAL) if a in (CSA, FBI)} == {"pending"}
    assert {s for a, _, s in await staging.states(WITHDRAWAL) if a == LEAD} == {"blocked"}


async def test_p4_who_turns_out_to_hold_nothing_hears_of_no_withdrawal(staging: Staging) -> None:
    """Its original was refused when it was due: there is nothing to take back."""
    referral_id = await staging.receive(Child())
    await withdraw(staging, referral_id, WithdrawalCause.MISTAKEN_REPORT)
    await staging.set_state_of(CSA, "received", "refused")
    await release_once(staging.db)
    assert {s for a, _, s in await staging.states(WITHDRAWAL) if a == CSA} == {"superseded"}


async def test_p3_a_withdrawal_needs_authority_as_a_supersession_does(
    staging: Staging, tmp_path: Path
) -> None:
    referral_id = await staging.receive(Child())
    await staging.set_state(FBI, "delivered", "completed")
    async with staging.db.transaction() as session:
        await session.execute(
            text("UPDATE notify.agencies SET authority = NULL WHERE agency_id = :fbi"),
            {"fbi": FBI},
        )
        await session.execute(text("UPDATE notify.directory SET version = version + 1"))
    await withdraw(staging, referral_id, WithdrawalCause.FALSE_REPORT)
    assert FBI not in {agency for agency, *_ in await staging.told(WITHDRAWAL)}
    said = await staging.emitted()
    assert [e for e in said if isinstance(e, NoticesRefused)] == []
    (refused,) = [e for e in said if isinstance(e, DisclosuresRefused)]
    assert [each.agency_id for each in refused.refused] == [FBI]
    (row,) = await staging.rows(models.refusals)
    assert (row["agency_id"], row["kind"]) == (FBI, "withdrawal")


async def test_c16_a_conflicted_agency_hears_of_no_withdrawal(staging: Staging) -> None:
    child = Child()
    referral_id = await staging.receive(child)
    await staging.set_state(POLICE, "delivered", "completed")
    async with staging.db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO notify.conflicts (conflict_id, assertion_id, referral_id, agency_id, "
                "ground, asserted_by, asserted_at) "
                "VALUES ('cfl_1', 'ast_1', :referral_id, :police, 'other', 'person', now())"
            ),
            {"referral_id": referral_id, "police": POLICE},
        )
    before = len(await staging.emitted())
    await withdraw(staging, referral_id, WithdrawalCause.MISTAKEN_REPORT)
    assert {agency for agency, *_ in await staging.told(WITHDRAWAL)} == EVERYBODY - {POLICE}
    said = (await staging.emitted())[before:]
    assert POLICE not in "".join(event.model_dump_json() for event in said)


async def test_the_accepted_stage_hears_of_the_withdrawal_once_per_recipient_and_child(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await staging.receive(child)
    await staging.handle(staging.decided(referral_id, 1, child))
    shared = staging.shared(referral_id, child)
    await staging.handle(shared)
    await withdraw(staging, referral_id, WithdrawalCause.MISTAKEN_REPORT)
    told = [n["agency_id"] for n in await staging.rows(models.notices) if n["kind"] == "withdrawal"]
    assert sorted(told) == sorted({*EVERYBODY, OFFICE})


async def test_withdrawn_twice_or_handled_again_it_has_one_effect(staging: Staging) -> None:
    referral_id = await staging.receive(Child())
    await withdraw(staging, referral_id, WithdrawalCause.MISTAKEN_REPORT)
    before = [await staging.rows(table) for table in models.metadata.sorted_tables]
    await withdraw(staging, referral_id, WithdrawalCause.MISTAKEN_REPORT)
    assert [await staging.rows(table) for table in models.metadata.sorted_tables] == before


async def test_nothing_is_planned_of_a_withdrawn_referral_and_a_share_of_it_asks_a_person(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await staging.receive(child)
    await withdraw(staging, referral_id, WithdrawalCause.ENTERED_IN_ERROR)
    before = await staging.rows(models.notices)
    await staging.handle(staging.decided(referral_id, 1, child))
    await staging.handle(staging.amended(referral_id, 2, child))
    shared = staging.shared(referral_id, child)
    await staging.handle(shared)
    assert await staging.rows(models.notices) == before
    (task,) = await staging.rows(task_tables.tasks)
    assert (task["kind"], task["about"]) == ("routing_question", shared.share_id)


async def test_c13_a_withdrawal_reaches_who_has_left_the_route_and_may_hold_a_version(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await staging.receive(child)
    await staging.set_state(POLICE, "delivered", "completed")
    moved = Child(child_id=child.child_id, towns=("Hartford",))
    await staging.handle(staging.amended(referral_id, 2, moved))
    await withdraw(staging, referral_id, WithdrawalCause.ENTERED_IN_ERROR, version=2)
    assert await staging.states(WITHDRAWAL) == {(POLICE, 2, "pending")}
