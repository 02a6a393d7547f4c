"""Breached clocks become tasks, once, and say so when the breach was none after all."""

from datetime import timedelta

import pytest

from services.notify import models
from services.notify.consumer import FileBreach, NoteCorrection
from shared.contracts.codes import Role
from shared.contracts.deadlines import BreachCorrected, ClockBreached
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


async def _breach(planning: Planning) -> None:
    async with planning.db.transaction() as session:
        handler = FileBreach(lambda: LATER)
        await handler.apply(session, support.envelope(BREACHED), BREACHED, None)


async def _correct(planning: Planning) -> None:
    async with planning.db.transaction() as session:
        event = support.envelope(CORRECTED)
        await NoteCorrection().apply(session, event, CORRECTED, None)


async def test_a_breach_is_one_task_that_says_what_to_do_however_often_it_is_told(
    planning: Planning,
) -> None:
    await _breach(planning)
    await _breach(planning)
    (task,) = await planning.rows(models.tasks)
    assert (task["kind"], task["about"]) == ("breached", BREACHED.clock_id)
    assert "ran out at 2026-03-04T02:00:00Z" in task["detail"]


async def test_a_corrected_breach_is_noted_in_its_task_once(planning: Planning) -> None:
    await _breach(planning)
    await _correct(planning)
    await _correct(planning)
    (task,) = await planning.rows(models.tasks)
    assert task["detail"].count("Later found to have been met in time") == 1
    assert task["acknowledged_at"] is None


async def test_a_correction_without_a_task_is_nothing(planning: Planning) -> None:
    await _correct(planning)
    assert await planning.rows(models.tasks) == []
