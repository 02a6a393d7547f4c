"""Processes of a service, forked from one that has imported it and done nothing else.

Each is a process as `python -m services.intake` is one: its own pid, environment, folder and files,
killed, stopped and ended for real. What they share is the import, which takes two CPU seconds and
is no part of what the tests of kills and commands are about. All four are started as deployed in
tests/e2e/test_one_machine.py, and notify in test_notify_planning_start.py.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import IO

from deploy.machine.processes import die_with_parent

ROOT = Path(__file__).parents[2]
_LARGEST = 64 * 1024


class WarmProcess:
    """One started process, as much like a Popen as its tests need."""

    def __init__(self, told: int) -> None:
        self._told = told
        self.pid = int(self._line(None) or b"0")
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if self.returncode is None and (line := self._line(0)) is not None:
            self.returncode = int(line)
            os.close(self._told)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended. Raises TimeoutExpired."""
        if self.returncode is None and (line := self._line(timeout)) is not None:
            self.returncode = int(line)
            os.close(self._told)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return self.returncode

    def send_signal(self, signum: signal.Signals) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _line(self, timeout: float | None) -> bytes | None:
        """The next of the two lines that are said of it: its pid, and its exit code."""
        ready, _, _ = select.select([self._told], [], [], timeout)
        if not ready:
            return None
        if line := os.read(self._told, 16):
            return line
        raise AssertionError("what starts the processes of this test run has ended")


def start(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stderr: IO[bytes],
    stdout: IO[bytes] | None = None,
    stdin: IO[bytes] | None = None,
) -> WarmProcess:
    """A process that ends with what `main(arguments)` of the module returns, as if that had been
    its program, with exactly this environment."""
    with open(os.devnull, "r+b") as nothing:
        files = [each.fileno() for each in (stdin or nothing, stdout or nothing, stderr)]
        told, tell = os.pipe()
        wanted = json.dumps({"arguments": list(arguments), "environment": dict(environment)})
        socket.send_fds(_starter(module), [wanted.encode()], [*files, tell])
        os.close(tell)
    return WarmProcess(told)


def run(
    service: str, arguments: Sequence[str], environment: Mapping[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """A command of the service, to its end."""
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        stdin.write(typed.encode())
        stdin.seek(0)
        program = f"{service}.__main__"
        process = start(program, arguments, environment, stdin=stdin, stdout=stdout, stderr=stderr)
        try:
            code = process.wait(60)
        finally:
            process.kill()
        said = [file.read().decode() for file in (stdout, stderr) if file.seek(0) == 0]
        return subprocess.CompletedProcess([service, *arguments], code, *said)


@cache
def _starter(module: str) -> socket.socket:
    """It ends when this test run does, and whatever it has started with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    clean = {name: value for name, value in os.environ.items() if "HARTLINE" not in name}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm", module, str(theirs.fileno())],
        cwd=ROOT,
        env=clean,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(module: str, control: socket.socket) -> int:
    """Fork whenever asked. Returns in every process that was started, with its exit code."""
    program = importlib.import_module(module)
    gc.freeze()
    while True:
        wanted, files, _, _ = socket.recv_fds(control, _LARGEST, 4)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        if not wanted:
            return 0
        ask = die_with_parent(signal.SIGKILL)
        if os.fork() == 0:
            ask()
            control.close()
            return _watch(program, json.loads(wanted), files)
        for file in files:
            os.close(file)


def _watch(program: ModuleType, wanted: Mapping[str, object], files: Sequence[int]) -> int:
    """Between the starter and the process: says its pid, waits for it, and says how it ended."""
    ask, tell = die_with_parent(signal.SIGKILL), files[-1]
    pid = os.fork()
    if pid == 0:
        ask()
        _take(files)
        return _main(program, **wanted)  # type: ignore[arg-type]
    os.write(tell, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(tell, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _take(files: Sequence[int]) -> None:
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)


def _main(program: ModuleType, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(program.__file__), *arguments]
    # The one module that reads its environment when it is imported.
    importlib.reload(importlib.import_module("shared.runtime.failpoints"))
    main: Callable[[list[str]], int] = program.main
    return main(list(arguments))


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2]))))
