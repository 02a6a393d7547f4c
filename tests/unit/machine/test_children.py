"""The processes of what runs are seen with their state, and one that hangs is ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from deploy.machine.children import children, restart

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def agency() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is called as `up` calls a service."""
    argv = [sys.executable, "-c", SLEEP, "-m", "services.trial", "seal"]
    process = subprocess.Popen(argv)
    yield process
    process.kill()
    process.wait()


def test_a_process_that_hangs_is_shown_with_its_roles_and_ended(
    agency: subprocess.Popen[bytes],
) -> None:
    until(agency.pid, "runs")
    os.kill(agency.pid, signal.SIGSTOP)
    until(agency.pid, "STOPPED")
    assert restart(os.getpid(), "no such service") == []
    assert restart(os.getpid(), "trial") == [agency.pid]
    assert agency.wait(10) == -signal.SIGKILL


def until(pid: int, state: str) -> None:
    deadline = time.monotonic() + 10
    while ("trial", ("seal",), state) not in seen(pid):
        assert time.monotonic() < deadline, seen(pid)
        time.sleep(0.02)


def seen(pid: int) -> list[tuple[str, tuple[str, ...], str]]:
    return [
        (each.name, each.roles, each.state) for each in children(os.getpid()) if each.pid == pid
    ]
