"""The ordinary case, with the real processes: the record and what was done are the same."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.machine.home import Home, Ports
from deploy.machine.machine import Machine
from deploy.machine.way import Way
from tests.support.machines import running
from tests.support.reconciled import reconciled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def machine() -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="hartline-reconciled-"))
    made = Machine(Home(folder), Ports.free(), bus="postgresql")
    try:
        made.prepare()
        yield made
    finally:
        made.stop_servers()
        shutil.rmtree(folder, ignore_errors=True)


async def test_after_a_referral_reached_everybody_nothing_is_missing(machine: Machine) -> None:
    """P1, P2: attempts, outcomes, reads, versions and receipts, both ways."""
    async with running(machine):
        result = await Way(machine).go()
        assert result.problems == []
        missing, compared = await reconciled(machine)
    assert missing == []
    assert compared >= 2 * (5 + 5 + 1 + 1 + 5)
