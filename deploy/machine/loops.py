"""Programs that end again and again as soon as they are started, told to whoever asks."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from deploy.machine.home import write_private

STEADY = timedelta(seconds=60)
"""What has run for so long had started well."""
_LOOPS = 3


@dataclass(frozen=True, slots=True)
class Loop:
    """A program's ends, each within STEADY of its start."""

    times: int
    since: datetime
    """The first of them."""
    ended: datetime
    """The last of them."""
    pid: int
    """Of the process that was started since, or else of the one that ended."""

    @property
    def words(self) -> str:
        return f"in a crash loop: restarting, {self.times} times since {self.since:%H:%M:%S}Z"


def after_end(before: Loop | None, started: datetime, ended: datetime, pid: int) -> Loop | None:
    """None: it had run well."""
    if ended - started > STEADY:
        return None
    if before is None:
        return Loop(1, ended, ended, pid)
    return Loop(before.times + 1, before.since, ended, pid)


def tell(folder: Path, found: Mapping[str, Loop]) -> None:
    """By program. A full disk loses it; whoever runs the programs goes on."""
    said = {name: asdict(loop) for name, loop in found.items()}
    with suppress(OSError):
        write_private(folder / "loops.json", json.dumps(said, default=datetime.isoformat))


def told(folder: Path, now: datetime) -> dict[str, Loop]:
    """Those that go on, by program."""
    try:
        said = json.loads((folder / "loops.json").read_text())
    except (OSError, ValueError):
        return {}
    found = {name: _read(each) for name, each in said.items()}
    return {
        name: loop
        for name, loop in found.items()
        if loop.times >= _LOOPS and now - loop.ended < STEADY
    }


def _read(said: Mapping[str, str | int]) -> Loop:
    since, ended = (datetime.fromisoformat(str(said[name])) for name in ("since", "ended"))
    return Loop(int(said["times"]), since, ended, int(said["pid"]))
