"""`make up`, and whatever else a stranger types, in a home of its own.

Two that begin in one moment would find the same ports free: one begins after the other.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.machine.home import ROOT

_PATIENCE = 240.0
_ANSWERS = 120.0


def machine(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A command of the one-machine run, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.machine", *arguments],
        cwd=ROOT,
        env={**os.environ, "HARTLINE_HOME": str(home)},
        check=False,
        capture_output=True,
        text=True,
        timeout=_ANSWERS,
    )


def assert_told(output: str) -> None:
    """The five of policy 21-14, each with a verified notice; four clocks; every proof."""
    told = re.findall(r"v1 original +delivered +\d+ ms", output)
    assert len(told) == 5, output
    assert len(re.findall(r"12 +satisfied", output)) == 4, output
    assert "6 disclosures recorded; 11 entries of the log" in output
    assert "NOT AS IT MUST BE" not in output


@contextmanager
def up(*more: str) -> Iterator[tuple[Path, "subprocess.Popen[bytes]"]]:
    """The home in which it is up, and its process. Root's PostgreSQL may enter the home."""
    home = Path(tempfile.mkdtemp(prefix="hartline-up-"))
    home.chmod(0o711)
    said = home / "said"
    environment = {**os.environ, "HARTLINE_HOME": str(home)}
    command = [sys.executable, "-m", "deploy.machine", "up", *more]
    with said.open("w") as output, _one_at_a_time():
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            _wait(process, said)
        except AssertionError:
            process.terminate()
            raise
    try:
        yield home, process
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Among the processes that test here."""
    with (Path(tempfile.gettempdir()) / "hartline-tests-up").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _wait(process: "subprocess.Popen[bytes]", said: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while "stop  " not in said.read_text():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.1)
