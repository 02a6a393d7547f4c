"""The partners of a load run, on the generator's own machine."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from deploy.machine.samples import private_keys
from deploy.machine.webhooks import Opened, open_notice, parse_public_key
from tests.load.wire import Request, Respond, serving

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nServer: load\r\n\r\n"
_AGENCY = b"/agency/"


def path_of(agency_id: str) -> bytes:
    """Where its notices are posted to."""
    return _AGENCY + agency_id.encode()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A notice that came, was authentic, and could be opened. `at`: its first byte came."""

    agency_id: str
    at: float


@dataclass
class Receiver:
    """Answers 200 once it has all of a notice, and keeps it, to be verified and opened after the
    run."""

    id_header: ClassVar[bytes] = b"webhook-id"
    first_bytes: dict[str, float] = field(default_factory=dict)
    taken: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Agency → how often it took each notice, by id: answered 200."""
    kept: list[tuple[str, Request]] = field(default_factory=list)
    _opened: dict[str, dict[str, Arrival]] = field(default_factory=dict)

    def take(self, request: Request, respond: Respond) -> None:
        if not request.path.startswith(_AGENCY):
            respond(_OK)  # It asks whether we are ready.
            return
        agency_id = request.path.removeprefix(_AGENCY).decode()
        notice_id = request.headers[self.id_header].decode()
        self.first_bytes.setdefault(notice_id, request.at)
        self.kept.append((agency_id, request))
        self.taken[agency_id][notice_id] += 1
        respond(_OK)

    def notices(self, *, but: str | None = None) -> int:
        """How many different notices were taken, by every agency or by all but one."""
        return sum(len(ids) for agency_id, ids in self.taken.items() if agency_id != but)

    def opened(self, folder: Path) -> dict[str, dict[str, Arrival]]:
        """Referral number → its notices by id. Raises on one that is not ours.

        Takes a while, which is nobody's latency: call it after the run.
        """
        keys = private_keys(folder)
        senders = [parse_public_key(line) for line in (folder / "senders.txt").read_text().split()]
        while self.kept:
            agency_id, request = self.kept.pop()
            headers = {name.decode(): value.decode() for name, value in request.headers.items()}
            key, now = keys[agency_id], float(headers["webhook-timestamp"])
            opened = open_notice(headers, request.body, agency_id, key, senders, now)
            assert isinstance(opened, Opened), opened
            notices = self._opened.setdefault(opened.form["referral_number"], {})
            at = self.first_bytes[opened.notice_id]
            notices[opened.notice_id] = Arrival(agency_id, at)
        return self._opened

    def arrivals(self, folder: Path) -> dict[str, list[float]]:
        """Referral number → when each of its notices arrived."""
        return {
            number: sorted(each.at for each in notices.values())
            for number, notices in self.opened(folder).items()
        }


@asynccontextmanager
async def listening(receiver: Receiver, port: int) -> AsyncIterator[None]:
    """The agencies answer on `port`; afterwards connections are refused, and those open closed."""
    async with serving(receiver.take, port):
        yield


async def until(
    done: Callable[[], bool], within: float, tell: Callable[[], str] | None = None
) -> bool:
    """Wait until it is so; False when it is not in so many seconds. `tell`: what to say of the
    progress, every five seconds."""
    deadline, told = time.monotonic() + within, time.monotonic()
    while not done():
        now = time.monotonic()
        if now > deadline:
            return False
        if tell is not None and now - told >= 5:
            print(f"  … {tell()}", flush=True)
            told = now
        await asyncio.sleep(0.05)
    return True
