"""A process that ends as soon as it is started is not said to run."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.machine.children import Child
from deploy.machine.home import Home
from deploy.machine.host import OneMachine, listed
from deploy.machine.loops import Loop, after_end, tell, told
from deploy.machine.processes import Program, Supervisor
from deploy.machine.running import Running
from deploy.operations.hosting import stuck
from deploy.operations.status import stopped_lines

NOW = datetime(2026, 3, 3, 10, 5, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LOOP = Loop(73, NOW, NOW + 400 * SECOND, 8784)


def test_ends_are_counted_while_each_is_soon_after_its_start() -> None:
    first = after_end(None, NOW, NOW + SECOND, 1)
    assert first == Loop(1, NOW + SECOND, NOW + SECOND, 1)
    second = after_end(first, NOW + 5 * SECOND, NOW + 6 * SECOND, 2)
    assert second == Loop(2, NOW + SECOND, NOW + 6 * SECOND, 2)
    assert after_end(second, NOW, NOW + 61 * SECOND, 3) is None


def test_a_loop_is_told_as_long_as_it_goes_on(tmp_path: Path) -> None:
    assert told(tmp_path, NOW) == {}
    tell(tmp_path, {"notify": LOOP, "audit": Loop(2, NOW, LOOP.ended, 9)})
    assert told(tmp_path, LOOP.ended + 5 * SECOND) == {"notify": LOOP}
    assert told(tmp_path, LOOP.ended + 61 * SECOND) == {}
    (tmp_path / "loops.json").write_text("half")
    assert told(tmp_path, NOW) == {}


def test_the_list_of_processes_says_so_whether_it_is_there_at_the_moment_or_not() -> None:
    says = "in a crash loop: restarting, 73 times since 10:05:01Z"
    there = [Child(8784, "notify", (), "runs"), Child(7, "audit", (), "runs")]
    assert listed(there, {"notify": LOOP}) == [
        f"  notify         process 8784 {says}",
        "  audit          process 7 runs",
    ]
    assert listed(there[1:], {"notify": LOOP}) == [
        "  audit          process 7 runs",
        f"  notify         {says}",
    ]


def test_doctor_and_status_say_since_when_and_where_the_reason_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.logs.mkdir()
    now = datetime.now(UTC)
    tell(home.logs, {"notify": Loop(73, now - 400 * SECOND, now, 8784)})
    host = OneMachine(Running(os.getpid(), str(tmp_path), {}))
    (found,) = stuck(host)
    assert found.about == "notify, its starts"
    assert found.says.startswith("It is in a crash loop: restarting, 73 times since ")
    assert f"the end of {home.logs}/notify.log says why it ends" in found.do
    (line,) = stopped_lines(host)
    assert line.startswith("LOOPS   notify: in a crash loop: restarting, 73 times since ")


async def test_the_supervisor_tells_of_what_it_starts_again_and_again(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"]}
    ends = Program("ends", [sys.executable, "-c", "raise SystemExit(2)"], environment, tmp_path)
    argv = [sys.executable, "-c", "import signal; signal.pause()"]
    stays = Program("stays", argv, environment, tmp_path)
    supervisor, stop = Supervisor([ends, stays], tmp_path / "logs"), asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    try:
        async with asyncio.timeout(30):
            while set(told(tmp_path / "logs", datetime.now(UTC))) != {"ends"}:
                await asyncio.sleep(0.02)
        pid = supervisor.pid("stays")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while supervisor.pid("stays") in (None, pid):
                await asyncio.sleep(0.02)
        assert set(told(tmp_path / "logs", datetime.now(UTC))) <= {"ends"}
    finally:
        stop.set()
        await running
