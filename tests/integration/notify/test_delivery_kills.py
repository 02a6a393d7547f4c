"""SIGKILL between every pair of steps of a delivery: nothing lost, nothing unrecorded (P1, P2)."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from services.notify.delivery.signing import Signer
from shared.runtime import keys
from shared.runtime.sealing import Keyring, Sealer
from tests.support.databases import FreshDatabase
from tests.support.deliveries import World, eventually
from tests.support.receiver import Receiver

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "facts", "received"),
    [
        ("notify.deliver.before_claim_commit", ["completed:200"], 1),
        ("notify.deliver.after_claim", ["unknown", "completed:200"], 1),
        ("notify.deliver.after_post", ["unknown", "completed:200"], 2),
        ("notify.deliver.after_outcome", ["completed:200"], 1),
    ],
)
async def test_killed_at_any_step_the_notice_arrives_and_the_record_is_true(
    database: FreshDatabase,
    receiver: Receiver,
    tmp_path: Path,
    place: str,
    facts: list[str],
    received: int,
) -> None:
    keys.make("kek", tmp_path / "kek-1.key")
    keys.make("ed25519", tmp_path / "webhook-1.key")
    world = World(
        database,
        database.open("notify"),
        Sealer(Keyring.load(tmp_path)),
        Signer.load(tmp_path),
    )
    notice = await world.notice(await world.agency(receiver.url))
    (tmp_path / place).touch()
    first = await _start(world, tmp_path)
    assert await asyncio.wait_for(first.wait(), 20) == -signal.SIGKILL
    second = await _start(world, tmp_path)
    try:
        await eventually(lambda: _delivered(world, notice), within=20)
    finally:
        second.terminate()
        # It may be told to stop while it is still starting.
        assert await asyncio.wait_for(second.wait(), 20) in (0, -signal.SIGTERM)
    assert await world.facts(notice) == facts
    assert receiver.notice_ids == [notice] * received


async def _start(world: World, directory: Path) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.deliver_process",
        world.database.dsns["notify"].app,
        str(directory),
        "0.5",
        cwd=ROOT,
        env={**os.environ, "HARTLINE_FAILPOINT_DIR": str(directory)},
    )


async def _delivered(world: World, notice: str) -> bool:
    return await world.state(notice) == "delivered"
