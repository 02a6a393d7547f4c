"""The supervisor starts again what ends, drains what stops, and leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.machine.home import ROOT
from deploy.machine.processes import Program, Supervisor

WAITS = "import signal; signal.pause()"
DRAINS = (
    "import signal,sys,time\n"
    "def drain(*_): print('drained', flush=True); sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, drain); print('up', flush=True)\n"
    "while True: time.sleep(10)"
)
STUBBORN = (
    "import signal,time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\n"
    "while True: time.sleep(10)"
)


def program(code: str, folder: Path, name: str = "one") -> Program:
    return Program(name, [sys.executable, "-c", code], {"PATH": os.environ["PATH"]}, folder)


async def until(good: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not good():
            await asyncio.sleep(0.01)


def exists(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


def said(supervisor: Supervisor, name: str = "one") -> str:
    log = supervisor.log(name)
    return log.read_text() if log.exists() else ""


async def test_what_is_killed_is_started_again(tmp_path: Path) -> None:
    stop, supervisor = asyncio.Event(), Supervisor([program(WAITS, tmp_path)], tmp_path / "logs")
    running = asyncio.create_task(supervisor.run(stop))
    await until(lambda: supervisor.pid("one"))
    first = supervisor.pid("one")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: supervisor.pid("one") not in (None, first))
    assert supervisor.starts["one"] == 2
    stop.set()
    await running
    assert supervisor.pid("one") is None


async def test_stopping_lets_a_program_drain(tmp_path: Path) -> None:
    stop, supervisor = asyncio.Event(), Supervisor([program(DRAINS, tmp_path)], tmp_path / "logs")
    running = asyncio.create_task(supervisor.run(stop))
    await until(lambda: "up" in said(supervisor))
    stop.set()
    await running
    assert said(supervisor) == "up\ndrained\n"
    assert supervisor.starts["one"] == 1


async def test_what_does_not_drain_in_time_is_killed(tmp_path: Path) -> None:
    stop, supervisor = asyncio.Event(), Supervisor([program(STUBBORN, tmp_path)], tmp_path / "logs")
    running = asyncio.create_task(supervisor.run(stop, drain_seconds=0.05))
    await until(lambda: "up" in said(supervisor))
    pid = supervisor.pid("one")
    stop.set()
    await running
    assert not exists(pid)


async def test_a_program_sees_only_the_environment_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARTLINE_AUDIT_DSN", "somebody-elses")
    code = "import os; print(sorted(k for k in os.environ if 'HARTLINE' in k)); " + WAITS
    stop, supervisor = asyncio.Event(), Supervisor([program(code, tmp_path)], tmp_path / "logs")
    running = asyncio.create_task(supervisor.run(stop))
    await until(lambda: supervisor.pid("one"))
    stop.set()
    await running
    assert "AUDIT" not in said(supervisor)


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import asyncio,os,sys\n"
        "from pathlib import Path\n"
        "from deploy.machine.processes import Program, Supervisor\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"p = Program('one', [sys.executable, '-c', {WAITS!r}], dict(os.environ), folder)\n"
        "s = Supervisor([p], folder / 'logs')\n"
        "async def main():\n"
        "    task = asyncio.create_task(s.run(asyncio.Event()))\n"
        "    while s.pid('one') is None: await asyncio.sleep(0.01)\n"
        "    print(s.pid('one'), flush=True)\n"
        "    await task\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while exists(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not exists(child)
