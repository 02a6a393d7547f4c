"""The processes of what runs are seen with their state, and one that hangs is ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.machine import running
from deploy.machine.__main__ import restart as command
from deploy.machine.children import children, restart
from deploy.machine.home import Home, Ports
from deploy.machine.host import OneMachine
from deploy.machine.machine import Machine
from deploy.machine.running import Running
from deploy.operations import asking
from deploy.operations.doctor import examine
from deploy.operations.hosting import stuck
from deploy.operations.places import Place
from deploy.operations.status import stopped_lines, view
from deploy.operations.thresholds import thresholds

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
    assert [each.pid for each in restart(os.getpid(), "trial")] == [agency.pid]
    assert agency.wait(10) == -signal.SIGKILL


def test_what_is_frozen_is_told_at_once_with_the_command_that_restarts_it(
    agency: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """The name is the one that status shows, and that restart takes."""
    host = OneMachine(Running(os.getpid(), str(tmp_path), {}))
    until(agency.pid, "runs")
    assert stuck(host) == []
    os.kill(agency.pid, signal.SIGSTOP)
    until(agency.pid, "STOPPED")
    (found,) = stuck(host)
    assert found.about == f"trial (seal), process {agency.pid}"
    assert found.do.startswith("./hartline restart 'trial (seal)' (docs/runbook.md")
    lines = view([], thresholds(), datetime(2026, 3, 3, tzinfo=UTC), stopped_lines(host))
    assert lines[0].endswith("1 thing(s) need somebody.")
    assert lines[2].startswith(
        f"STOPPED trial (seal): process {agency.pid} does nothing: ./hartline"
    )
    assert [each.pid for each in restart(os.getpid(), "trial (seal)")] == [agency.pid]
    assert agency.wait(10) == -signal.SIGKILL


def test_a_name_that_nothing_has_is_answered_with_those_that_there_are(
    agency: subprocess.Popen[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HARTLINE_HOME", str(tmp_path))
    until(agency.pid, "runs")
    assert command("trial") == 2
    assert "Nothing is running" in capsys.readouterr().err
    with running.lock(tmp_path):
        running.remember(tmp_path, Machine(Home(tmp_path / "home"), Ports()))
        assert command("seal") == 2
        said = capsys.readouterr().err
        assert said.startswith("There is nothing called seal; there are: ")
        assert "trial (seal)" in said
        assert command("trial (seal)") == 0
    assert "Ended trial (seal), process" in capsys.readouterr().out


async def test_a_service_that_is_away_or_hangs_is_told_with_what_mends_it_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_PATIENCE", 0.1)
    host = OneMachine(Running(os.getpid(), str(tmp_path), {}))
    settings = {"HARTLINE_AUDIT_DSN": "postgresql://nobody@127.0.0.1:1/none"}
    (away, *_) = await examine([Place("audit", "http://127.0.0.1:1", settings)], host)
    assert f"the end of {tmp_path}/logs/audit.log says why it ends" in away.do
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        (hangs, *_) = await examine([Place("audit", url, settings)], host)
    assert "It hangs." in hangs.do
    assert "./hartline restart audit (docs/runbook.md" in hangs.do


def until(pid: int, state: str) -> None:
    deadline = time.monotonic() + 10
    while ("trial", ("seal",), state) not in seen(pid):
        assert time.monotonic() < deadline, seen(pid)
        time.sleep(0.02)


def seen(pid: int) -> list[tuple[str, tuple[str, ...], str]]:
    return [
        (each.name, each.roles, each.state) for each in children(os.getpid()) if each.pid == pid
    ]
