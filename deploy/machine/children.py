"""The processes that `up` has started: seen, and ended so that they begin anew."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_FROZEN = "STOPPED"
_STATES = {"T": _FROZEN, "t": _FROZEN, "Z": "ENDED", "D": "waiting for the disk"}


@dataclass(frozen=True, slots=True)
class Child:
    """A process that `up` started. `name` is a service, `postgresql`, `kafka` or `agencies`."""

    pid: int
    name: str
    roles: tuple[str, ...]
    state: str
    """`runs`, or why it does not."""

    @property
    def label(self) -> str:
        """How it is shown, and called: `audit`, or `audit (seal)` where it has only these roles."""
        return f"{self.name} ({' '.join(self.roles)})" if self.roles else self.name

    @property
    def frozen(self) -> bool:
        return self.state == _FROZEN

    def describe(self) -> str:
        return f"  {self.label:14} process {self.pid} {self.state}"


def children(parent: int) -> list[Child]:
    """In the order of their names."""
    found = (_child(pid) for pid in started_by(parent))
    return sorted((each for each in found if each), key=lambda each: (each.name, each.pid))


def restart(parent: int, name: str) -> list[Child]:
    """End what is called so, and what it has started, at once; `up` starts it again.

    `name` is a label, or the name of all of a service's processes; [] when nothing is called so.
    SIGKILL is safe for all of them (docs/runbook.md, Restarting), and ends what hangs.
    """
    ended = [each for each in children(parent) if name in (each.label, each.name)]
    for each in ended:
        for one in (each.pid, *started_by(each.pid)):
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
    return ended


def _child(pid: int) -> Child | None:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
    name, roles = _named(words)
    return Child(pid, name, roles, _STATES.get(state, "runs"))


def _named(words: list[str]) -> tuple[str, tuple[str, ...]]:
    if "-m" not in words:
        name = Path(words[0]).name if words else "?"
        return {"postgres": "postgresql", "java": "kafka"}.get(name, name), ()
    module, *roles = words[words.index("-m") + 1 :]
    if module.startswith("services.") and module.count(".") == 1:
        return module.removeprefix("services."), tuple(roles)
    return module.rpartition(".")[2], ()


def started_by(parent: int) -> Iterator[int]:
    """The pids of its own children."""
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield from map(int, task.read_text().split())
