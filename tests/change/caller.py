"""The Careline's phone system: an open-loop caller that goes on until it is told to stop. A call
that got no answer is sent again under its own key, as docs/careline.md asks of it."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field

import aiohttp

from tests.load import referrals

_AGAIN_SECONDS = 0.05
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Call:
    """A referral from its first byte to its 201. Times are seconds of time.time()."""

    intended_at: float
    answered_at: float
    number: str
    """The referral's; empty when it was never accepted."""
    statuses: tuple[int, ...]
    """Of each try; 0 where the connection ended without an answer."""


@dataclass
class Caller:
    """Half of its calls share connections that stay open, half have one each."""

    url: str
    token: str
    rate: float
    calls: list[Call] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        kept = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers)
        fresh = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True), headers=headers
        )
        async with kept, fresh, asyncio.TaskGroup() as group:
            start, index = time.time() + 0.05, 0
            while not stop.is_set():
                intended = start + index / self.rate
                await asyncio.sleep(max(0.0, intended - time.time()))
                group.create_task(self._call((kept, fresh)[index % 2], index, intended))
                index += 1

    async def _call(self, session: aiohttp.ClientSession, index: int, intended: float) -> None:
        key, body, statuses, number = secrets.token_hex(16), referrals.body(index), [], ""
        for _ in range(_TRIES):
            status, number = await self._once(session, key, body)
            statuses.append(status)
            if 200 <= status < 500:
                break
            await asyncio.sleep(_AGAIN_SECONDS)
        self.calls.append(Call(intended, time.time(), number, tuple(statuses)))

    async def _once(
        self, session: aiohttp.ClientSession, key: str, body: dict[str, object]
    ) -> tuple[int, str]:
        try:
            async with session.post(
                f"{self.url}/v1/referrals", json=body, headers={"Idempotency-Key": key}
            ) as answer:
                found = await answer.json()
                return answer.status, found.get("number", "")
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0, ""
