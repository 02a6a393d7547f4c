"""The processes of what `up` runs, as `doctor` and `status` speak of them."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from deploy.machine.children import children
from deploy.machine.home import Home
from deploy.machine.running import Running
from deploy.machine.typing_here import LAUNCHER, typed
from deploy.operations.hosting import Frozen
from shared.runtime.findings import Finding


class OneMachine:
    """A `deploy.operations.hosting.Host`."""

    def __init__(self, found: Running) -> None:
        self._pid = found.pid
        self._logs = Home(Path(found.home)).logs

    def frozen(self) -> Sequence[Frozen]:
        return [Frozen(each.label, each.pid) for each in children(self._pid) if each.frozen]

    def restart(self, name: str) -> str:
        return f"{LAUNCHER} restart {shlex.quote(name)}"

    def begins(self, service: str) -> str:
        log = self._logs / f"{service}.log"
        return f"It is started again by itself every few seconds; the end of {log} says why it ends"

    def mended(self) -> str:
        return "; it is started by itself within seconds"

    def typed(self, finding: Finding) -> Finding:
        return typed(finding)
