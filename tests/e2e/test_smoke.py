"""`make smoke` as a stranger runs it: the real processes, the real bus, and an end by itself."""

from pathlib import Path

import pytest

from deploy.machine.kafka import jars
from tests.support.brokers import needs_kafka
from tests.support.ups import assert_told, machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_smoke_passes_on_the_postgresql_bus(tmp_path: Path) -> None:
    """P1, P2, P7: five recipients told, every disclosure proven, and it stops by itself."""
    result = machine("smoke", home=tmp_path)
    assert_told(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.kafka
def test_smoke_passes_on_kafka(tmp_path: Path) -> None:
    with needs_kafka():
        jars()
    result = machine("smoke", "--bus", "kafka", home=tmp_path)
    assert_told(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")
