"""SIGKILL between a page's claim, its sending and its record: never twice, and somebody is told."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import text

from services.notify.oncall import rostering
from services.notify.oncall.roster_file import RosterFile
from services.notify.proposals import store as proposal_store
from services.notify.tasks import store as task_store
from services.notify.tasks.task import NewTask, TaskKind
from services.notify.wiring import PROPOSABLES
from shared.runtime.ids import new_id, utc_now
from tests.support import warm
from tests.support.deliveries import World, eventually
from tests.support.planning import SEALER
from tests.support.receiver import Receiver, receiving
from tests.support.rosters import roster
from tests.support.warm import WarmProcess


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "received"), [("notify.page.after_claim", 0), ("notify.page.after_send", 1)]
)
async def test_killed_at_any_step_no_page_goes_twice_and_the_fallback_is_paged(
    world: World, receiver: Receiver, tmp_path: Path, place: str, received: int
) -> None:
    async with receiving() as chief:
        await _put(world, {"ann": ("webhook", receiver.url), "chief": ("webhook", chief.url)})
        (tmp_path / place).touch()
        first = _start(world, tmp_path)
        assert await asyncio.to_thread(first.wait, 20) == -signal.SIGKILL
        async with world.db.transaction() as session:
            # Do not wait for the lease.
            await session.execute(
                text("UPDATE notify.pages SET claimed_at = claimed_at - interval '31 s'")
            )
        second = _start(world, tmp_path)
        try:
            await eventually(lambda: _paged(world, "chief"), within=20)
        finally:
            second.terminate()
            assert await asyncio.to_thread(second.wait, 20) in (0, -signal.SIGTERM)
        assert len(receiver.requests) == received
        assert len(chief.requests) == 1


async def _put(world: World, to: dict[str, tuple[str, str]]) -> None:
    now = utc_now()
    new = NewTask(TaskKind.REFUSED, new_id("ntc"), None, "Look.")
    async with world.db.transaction() as session:
        made = await rostering.propose_roster(
            session,
            SEALER,
            RosterFile.model_validate(roster(to)),
            reason="Test.",
            by="maker",
            now=now,
        )
        await proposal_store.decide(
            session,
            made.proposal_id,
            approve=True,
            by="checker",
            decision="Good.",
            now=now,
            proposables=PROPOSABLES,
        )
        await task_store.file_tasks(session, [new], now)


async def _paged(world: World, person: str) -> bool:
    rows = await world.rows(
        "SELECT 1 FROM notify.pages WHERE person = :person AND outcome = 'taken'", person=person
    )
    return bool(rows)


def _start(world: World, points: Path) -> WarmProcess:
    arguments = (world.database.dsns["notify"].app,)
    environment = os.environ | {"HARTLINE_FAILPOINT_DIR": str(points)}
    with (points / "stderr.log").open("ab") as stderr:
        return warm.start("tests.support.page_process", arguments, environment, stderr=stderr)
