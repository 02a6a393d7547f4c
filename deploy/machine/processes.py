"""Child processes that end with their parent, and start again until they are told to stop."""

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from deploy.machine import loops
from deploy.machine.loops import Loop

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.2, 5.0


def die_with_parent(signum: signal.Signals) -> Callable[[], None]:
    """For `Popen(preexec_fn=…)`: Linux sends the child `signum` when its parent dies.

    The parent is the *thread* that starts the child: start children from the main thread.
    """
    parent = os.getpid()

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return ask


def _begin(ask: Callable[[], None], nice: int) -> None:
    """In the child, before its program. Where Linux groups processes by session, it is the group
    that has to be nice."""
    ask()
    os.nice(nice)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


@dataclass(frozen=True)
class Program:
    """A command that is to run for ever. Its environment is exactly `environment`."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    """Where it runs."""
    nice: int = 0
    """How much others come first when the machine is full, from 0 to 19."""


class Supervisor:
    """Runs programs for ever, each with a log file, and stops them in order.

    One that ends is started again after 0.2 s, then after twice as long each time, up to 5 s.
    """

    def __init__(self, programs: Sequence[Program], logs: Path) -> None:
        self.programs = {program.name: program for program in programs}
        self.starts = dict.fromkeys(self.programs, 0)
        self._logs = logs
        self._loops: dict[str, Loop] = {}
        self._children: dict[str, asyncio.subprocess.Process] = {}

    def pid(self, name: str) -> int | None:
        """The process that runs the program at this moment, if one does."""
        child = self._children.get(name)
        return child.pid if child and child.returncode is None else None

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    async def run(self, stop: asyncio.Event, *, drain_seconds: float = 15.0) -> None:
        """Until `stop`; then SIGTERM to all, and SIGKILL to what has not drained in time."""
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        tasks = [asyncio.create_task(self._keep(p, stop)) for p in self.programs.values()]
        waiting = asyncio.create_task(stop.wait())
        try:
            # `_keep` never ends by itself: if one does, it has failed, and so have we.
            await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            self._signal(signal.SIGTERM)
            _, late = await asyncio.wait(tasks, timeout=drain_seconds)
            if late:
                self._signal(signal.SIGKILL)
            await asyncio.gather(waiting, *tasks)

    async def _keep(self, program: Program, stop: asyncio.Event) -> None:
        backoff = _FIRST_BACKOFF
        while not stop.is_set():
            started = datetime.now(UTC)
            child = await self._start(program)
            if stop.is_set():
                child.terminate()
            await child.wait()
            if not self._has_ended(program.name, started, child.pid):
                backoff = _FIRST_BACKOFF
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF)

    async def _start(self, program: Program) -> asyncio.subprocess.Process:
        with self.log(program.name).open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                *program.argv,
                env=dict(program.environment),
                cwd=program.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(_begin, die_with_parent(signal.SIGTERM), program.nice),
            )
        self.starts[program.name] += 1
        self._children[program.name] = child
        if (loop := self._loops.get(program.name)) is not None:
            self._loops[program.name] = replace(loop, pid=child.pid)
            loops.tell(self._logs, self._loops)
        return child

    def _has_ended(self, name: str, started: datetime, pid: int) -> bool:
        """Whether too soon; and it is told to whoever asks."""
        loop = loops.after_end(self._loops.pop(name, None), started, datetime.now(UTC), pid)
        if loop is not None:
            self._loops[name] = loop
        loops.tell(self._logs, self._loops)
        return loop is not None

    def _signal(self, signum: signal.Signals) -> None:
        for child in self._children.values():
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.send_signal(signum)
