"""The partners of a load run, on the generator's own machine; one of them can be made to hang."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from deploy.machine.samples import private_keys
from deploy.machine.webhooks import Opened, open_notice, parse_public_key


@dataclass(frozen=True, slots=True)
class Arrival:
    """A notice that came, was authentic, and could be opened. `at`: its first byte came."""

    agency_id: str
    at: float


@dataclass
class Receiver:
    """Answers 200 at once and keeps what came, to be verified and opened after the run."""

    first_bytes: dict[str, float] = field(default_factory=dict)
    taken: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Agency → how often it took each notice, by id: answered 200."""
    kept: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    _hung: str | None = None
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _opened: dict[str, dict[str, Arrival]] = field(default_factory=dict)

    async def receive(self, request: web.Request) -> web.Response:
        at = time.time()
        agency_id = request.match_info["agency_id"]
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.first_bytes.setdefault(headers["webhook-id"], at)
        if agency_id == self._hung:
            await self._released.wait()
            return web.Response(status=503)
        self.kept.append((agency_id, headers, await request.read()))
        self.taken[agency_id][headers["webhook-id"]] += 1
        return web.Response()

    async def ready(self, _: web.Request) -> web.Response:
        return web.Response()

    def hang(self, agency_id: str) -> None:
        """From now on this agency accepts the connection and never answers."""
        self._hung = agency_id
        self._released = asyncio.Event()

    def answer_again(self) -> None:
        self._hung = None
        self._released.set()

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
            agency_id, headers, body = self.kept.pop()
            now = float(headers["webhook-timestamp"])
            opened = open_notice(headers, body, agency_id, keys[agency_id], senders, now)
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
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_post("/agency/{agency_id}", receiver.receive)
    app.router.add_get("/readyz", receiver.ready)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        receiver.answer_again()
        await runner.cleanup()


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
