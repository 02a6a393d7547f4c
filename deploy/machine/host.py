"""The processes of what `up` runs, as `doctor` and `status` speak of them."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from deploy.machine.children import Child, children
from deploy.machine.home import Home
from deploy.machine.loops import Loop, told
from deploy.machine.running import Running
from deploy.machine.typing_here import LAUNCHER, typed
from deploy.operations.hosting import Frozen, Looping
from shared.runtime.findings import Finding
from shared.runtime.ids import utc_now


class OneMachine:
    """A `deploy.operations.hosting.Host`."""

    def __init__(self, found: Running) -> None:
        self._pid = found.pid
        self._logs = Home(Path(found.home)).logs

    def frozen(self) -> Sequence[Frozen]:
        return [Frozen(each.label, each.pid) for each in children(self._pid) if each.frozen]

    def looping(self) -> Sequence[Looping]:
        found = told(self._logs, utc_now())
        return [Looping(name, loop.words) for name, loop in sorted(found.items())]

    def processes(self) -> list[str]:
        """A line for each."""
        return listed(children(self._pid), told(self._logs, utc_now()))

    def restart(self, name: str) -> str:
        return f"{LAUNCHER} restart {shlex.quote(name)}"

    def begins(self, service: str) -> str:
        log = self._logs / f"{service}.log"
        return f"It is started again by itself every few seconds; the end of {log} says why it ends"

    def mended(self) -> str:
        return "; it is started by itself within seconds"

    def typed(self, finding: Finding) -> Finding:
        return typed(finding)


def listed(there: Sequence[Child], loops: Mapping[str, Loop]) -> list[str]:
    """Every process; then those that end as soon as they are started, and are away just now."""
    of = {loop.pid: loop for loop in loops.values()}
    pids = {each.pid for each in there}
    away = [f"  {name:14} {loop.words}" for name, loop in loops.items() if loop.pid not in pids]
    return [_described(each, of.get(each.pid)) for each in there] + away


def _described(child: Child, loop: Loop | None) -> str:
    return (child if loop is None else replace(child, state=loop.words)).describe()
