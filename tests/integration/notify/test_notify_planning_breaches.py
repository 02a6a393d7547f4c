"""Breached clocks become tasks, once, and say so when the breach was none after all."""

from datetime import timedelta

import pytest

from services.notify.consumer import FileApproaching, FileBreach, FileMajority, NoteCorrection
from services.notify.tasks import store as task_store
from services.notify.tasks import tables as task_tables
from shared.contracts.codes import Role
from shared.contracts.deadlines import BreachCorrected, ClockApproaching, ClockBreached
from shared.contracts.referrals import MajorityNear
from shared.runtime.ids import new_id
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import Planning

DUE = support.RECEIVED + timedelta(hours=12)
LATER = DUE + timedelta(minutes=1)
CLOCK = {
    "referral_id": new_id("ref"),
    "clock_id": new_id("clk"),
    "policy": "LE12",
    "policy_version": "2026-1",
    "child_id": new_id("chd"),
    "role": Role.LOCAL_LAW_ENFORCEMENT,
    "due_at": DUE,
    "discovered_at": LATER,
}
BREACHED = ClockBreached.model_validate(CLOCK)
CORRECTED = BreachCorrected.model_validate(CLOCK | {"satisfied_at": DUE - timedelta(minutes=1)})


@pytest.fixture
def planning(database: FreshDatabase) -> Planning:
    return Planning(database.open("notify"))


async def _breach(planning: Planning, said: ClockBreached = BREACHED) -> None:
    async with planning.db.transaction() as session:
        handler = FileBreach(lambda: LATER)
        await handler.apply(session, support.envelope(said), said, None)


async def _correct(planning: Planning, said: BreachCorrected = CORRECTED) -> None:
    async with planning.db.transaction() as session:
        event = support.envelope(said)
        await NoteCorrection().apply(session, event, said, None)


async def test_a_breach_is_one_task_that_says_what_to_do_however_often_it_is_told(
    planning: Planning,
) -> None:
    await _breach(planning)
    await _breach(planning)
    (task,) = await planning.rows(task_tables.tasks)
    assert (task["kind"], task["about"]) == ("breached", BREACHED.clock_id)
    assert "ran out at 2026-03-04T02:00:00Z" in task["detail"]


async def test_a_corrected_breach_is_noted_in_its_task_once(planning: Planning) -> None:
    await _breach(planning)
    await _correct(planning)
    await _correct(planning)
    (task,) = await planning.rows(task_tables.tasks)
    assert task["detail"].count("Later found to have been met in time") == 1
    assert task["acknowledged_at"] is None


async def test_a_breach_that_comes_back_after_its_correction_is_a_task_of_its_own(
    planning: Planning,
) -> None:
    second = {"turn": 2}
    await _breach(planning)
    await _correct(planning)
    await _breach(planning, BREACHED.model_copy(update=second))
    noted = [task["detail"].count("Later found") for task in await planning.rows(task_tables.tasks)]
    assert sorted(noted) == [0, 1]
    await _correct(planning, CORRECTED.model_copy(update=second))
    noted = [task["detail"].count("Later found") for task in await planning.rows(task_tables.tasks)]
    assert noted == [1, 1]


async def test_a_correction_without_a_task_is_nothing(planning: Planning) -> None:
    await _correct(planning)
    assert await planning.rows(task_tables.tasks) == []


async def test_a_warning_joins_the_task_of_its_desk_and_names_it(planning: Planning) -> None:
    """Also for a duty that is no recipient's leg, which has no role."""
    about = CLOCK | {"role": None, "duty": "hart_consult", "tell": ["hart_liaison"]}
    for minutes in (240, 60, 60):
        data = ClockApproaching.model_validate(
            about | {"before_minutes": minutes, "noticed_at": DUE - timedelta(minutes=minutes)}
        )
        async with planning.db.transaction() as session:
            await FileApproaching(lambda: DUE).apply(session, support.envelope(data), data, None)
    (task,) = await planning.rows(task_tables.tasks)
    assert (task["kind"], task["desk"]) == ("approaching", "hart_liaison")
    assert task["detail"].count("for hart_consult runs out at") == 2
    assert task["detail"].count("For: hart_liaison.") == 1
    known = await planning.rows(task_tables.task_clocks)
    assert sorted(clock["about"] for clock in known) == [
        f"{CLOCK['clock_id']} 240 hart_liaison",
        f"{CLOCK['clock_id']} 60 hart_liaison",
    ]


async def test_each_desk_that_must_hear_of_a_breach_has_a_task_of_its_own(
    planning: Planning,
) -> None:
    """However often it is told; and a correction is noted in each of them, once."""
    agency = new_id("agy")
    told = {"tell": ["careline_supervisor", "hart_director"], "role": None, "duty": "ack"}
    data = ClockBreached.model_validate(CLOCK | told | {"matter": agency})
    other = ClockBreached.model_validate(CLOCK | told | {"clock_id": new_id("clk")})
    for each in (data, data, other, other):
        await _breach(planning, each)
    await _correct(planning)
    await _correct(planning)
    found = await planning.rows(task_tables.tasks)
    assert {(task["about"], task["desk"]) for task in found} == {
        (f"{data.clock_id} {desk}", desk) for desk in told["tell"] or ()
    }
    for task in found:
        assert task["detail"].count("ran out at") == 2, "both clocks, each once"
        assert f"for ack (agency {agency}) ran out at" in task["detail"]
        assert task["detail"].count(f"For: {task['desk']}.") == 1
        assert task["detail"].count("Later found to have been met in time") == 1


async def test_a_referral_whose_every_clock_ran_out_is_one_task_for_each_desk(
    planning: Planning,
) -> None:
    """Twelve clocks are one matter to whoever is paged; another referral is another matter."""
    desks = {"tell": ["careline_supervisor", "compliance"]}
    clocks = [
        ClockBreached.model_validate(CLOCK | desks | {"clock_id": new_id("clk")}) for _ in range(12)
    ]
    elsewhere = ClockBreached.model_validate(
        CLOCK | desks | {"clock_id": new_id("clk"), "referral_id": new_id("ref")}
    )
    for each in (*clocks, elsewhere):
        await _breach(planning, each)
    found = await planning.rows(task_tables.tasks)
    assert sorted((task["referral_id"], task["desk"]) for task in found) == sorted(
        (referral, desk)
        for referral in (CLOCK["referral_id"], elsewhere.referral_id)
        for desk in desks["tell"]
    )
    assert len(await planning.rows(task_tables.task_clocks)) == 2 * 13


async def test_a_clock_that_runs_out_after_the_task_was_taken_is_a_task_of_its_own(
    planning: Planning,
) -> None:
    await _breach(planning)
    (task,) = await planning.rows(task_tables.tasks)
    async with planning.db.transaction() as session:
        await task_store.acknowledge(session, task["task_id"], "ann", LATER)
    await _breach(planning)
    assert len(await planning.rows(task_tables.tasks)) == 1, "the same clock, told again"
    await _breach(planning, BREACHED.model_copy(update={"clock_id": new_id("clk")}))
    assert len(await planning.rows(task_tables.tasks)) == 2


async def test_a_clock_that_joined_a_task_is_corrected_there(planning: Planning) -> None:
    joined = {"clock_id": new_id("clk"), "policy": "FBI12"}
    await _breach(planning)
    await _breach(planning, BREACHED.model_copy(update=joined))
    await _correct(planning, CORRECTED.model_copy(update=joined))
    (task,) = await planning.rows(task_tables.tasks)
    assert task["detail"].count("Later found to have been met in time") == 1
    assert f"FBI12 of child {CLOCK['child_id']}" in task["detail"].partition("Later found")[2]


async def test_a_breach_without_a_role_says_what_was_to_be_done(planning: Planning) -> None:
    data = ClockBreached.model_validate(CLOCK | {"role": None, "duty": "enter_consult"})
    async with planning.db.transaction() as session:
        await FileBreach(lambda: LATER).apply(session, support.envelope(data), data, None)
    (task,) = await planning.rows(task_tables.tasks)
    assert "for enter_consult ran out at" in task["detail"]


async def test_c27_a_child_near_18_is_one_task_for_the_coordinator_that_names_no_day(
    planning: Planning,
) -> None:
    data = MajorityNear(referral_id=new_id("ref"), child_id=new_id("chd"), noticed_at=LATER)
    for _ in range(2):
        async with planning.db.transaction() as session:
            await FileMajority(lambda: LATER).apply(session, support.envelope(data), data, None)
    (task,) = await planning.rows(task_tables.tasks)
    assert task["kind"] == "majority_near"
    assert task["about"].startswith(data.child_id)
    assert task["desk"] == "eligibility_coordinator"
    assert "eligibility_coordinator" in task["detail"]
    assert "2026" not in task["detail"]
    assert "national" not in task["detail"]
    again = data.model_copy(update={"noticed_at": LATER + timedelta(days=1)})
    async with planning.db.transaction() as session:
        await FileMajority(lambda: LATER).apply(session, support.envelope(again), again, None)
    assert len(await planning.rows(task_tables.tasks)) == 2
