"""What runs on this machine: one `up` at a time, known to the other commands by a file."""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING

from deploy.machine.home import ROOT, Home, make_reachable, write_private

if TYPE_CHECKING:
    from deploy.machine.machine import Machine

_STOP_SECONDS = 60.0


class AlreadyRunning(Exception):
    """One runs already. The text says how to stop it."""


@dataclass(frozen=True)
class Running:
    """Enough to find what runs."""

    pid: int
    home: str
    ports: dict[str, int]

    @property
    def told(self) -> list[str]:
        """For `python -m deploy.operations`: whose settings."""
        return ["--settings", str(Home(Path(self.home)).settings)]

    def describe(self) -> str:
        lines = [f"Up: process {self.pid}, home {self.home}."]
        return "\n".join(lines + [f"  {name:14} {port}" for name, port in self.ports.items()])


def base() -> Path:
    """HARTLINE_HOME, or `.hartline` in the clone; as root, a folder below /var/lib/hartline.

    Root's PostgreSQL runs as another user, who may not be able to reach the clone. Below it each
    bus has a home of its own, because what was read from one bus says nothing of the other.
    """
    named = os.environ.get("HARTLINE_HOME")
    if named:
        return Path(named).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/hartline") / sha256(str(ROOT).encode()).hexdigest()[:12]
    return ROOT / ".hartline"


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Held as long as `up` runs. Raises AlreadyRunning."""
    if not folder.exists():
        make_reachable(folder)
    with (folder / "lock").open("w") as file:
        if not _take(file):
            raise AlreadyRunning("Hartline is up already: `make down` stops it, `make status`.")
        yield


def remember(folder: Path, machine: "Machine") -> None:
    found = Running(os.getpid(), str(machine.home.path), asdict(machine.ports))
    write_private(folder / "running.json", json.dumps(asdict(found)))


def forget(folder: Path) -> None:
    (folder / "running.json").unlink(missing_ok=True)


def current(folder: Path) -> Running | None:
    """What `up` runs now, if it does."""
    try:
        with (folder / "lock").open() as file:
            if _take(file):
                return None
        return Running(**json.loads((folder / "running.json").read_text()))
    except FileNotFoundError:
        return None


def stop(folder: Path) -> bool:
    """Ask `up` to stop and wait until it has. Whether there was one."""
    found = current(folder)
    if found is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while current(folder) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    return True


def _take(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
