"""SIGKILL between every pair of steps of a delivery: nothing lost, nothing unrecorded (P1, P2)."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from services.notify.delivery.signing import Signer
from shared.runtime import keys
from shared.runtime.sealing import Keyring, Sealer
from tests.support import warm
from tests.support.databases import FreshDatabase
from tests.support.deliveries import World, eventually
from tests.support.receiver import Receiver
from tests.support.warm import WarmProcess


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
    first = _start(world, tmp_path)
    assert await asyncio.to_thread(first.wait, 20) == -signal.SIGKILL
    second = _start(world, tmp_path)
    try:
        await eventually(lambda: _delivered(world, notice), within=20)
    finally:
        second.terminate()
        # It may be told to stop while it is still starting.
        assert await asyncio.to_thread(second.wait, 20) in (0, -signal.SIGTERM)
    assert await world.facts(notice) == facts
    assert receiver.notice_ids == [notice] * received


def _start(world: World, directory: Path) -> WarmProcess:
    arguments = world.database.dsns["notify"].app, str(directory), "0.5"
    environment = {**os.environ, "HARTLINE_FAILPOINT_DIR": str(directory)}
    with (directory / "stderr.log").open("ab") as stderr:
        return warm.start("tests.support.deliver_process", arguments, environment, stderr=stderr)


async def _delivered(world: World, notice: str) -> bool:
    return await world.state(notice) == "delivered"
