"""The phone system of a load run: each call is one referral, sent once."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp

from deploy.machine.machine import Machine
from tests.load import referrals
from tests.load.openloop import Sent, one
from tests.support import machines

Send = Callable[[int], Awaitable[tuple[int, str]]]
_TOKEN_SECONDS = 240.0


class _Token:
    """Renewed before it expires: a soak outlives one."""

    def __init__(self, machine: Machine) -> None:
        self._fresh = partial(machines.token, machine, "referrals:create")
        self._until = 0.0
        self._text = ""

    def header(self) -> dict[str, str]:
        if time.monotonic() > self._until:
            self._text, self._until = self._fresh(), time.monotonic() + _TOKEN_SECONDS
        return {"Authorization": f"Bearer {self._text}"}


@asynccontextmanager
async def calling(
    machine: Machine, body: Callable[[int], dict[str, Any]] = referrals.body
) -> AsyncIterator[Send]:
    """What sends the referral of a number, and says its status and its own number."""
    token, url = _Token(machine), f"{machines.url(machine, 'intake')}/v1/referrals"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(number: int) -> tuple[int, str]:
            key = {"Idempotency-Key": secrets.token_hex(16)}
            headers = key | token.header()
            async with session.post(url, json=body(number), headers=headers) as answer:
                return answer.status, (await answer.json()).get("number", "")

        yield send


async def burst(send: Send, count: int, *, together: int, first: int = 0) -> list[Sent]:
    """`count` referrals as fast as they are taken, with `together` on the way at a time.

    Not open-loop: for rates, never for latencies.
    """
    numbers = iter(range(first, first + count))
    sent: list[Sent] = []

    async def line() -> None:
        for number in numbers:
            sent.append(await one(send, number, time.time()))

    await asyncio.gather(*(line() for _ in range(together)))
    return sent


def agency_of_kind(machine: Machine, kind: str) -> str:
    """The id of the only sample agency of its kind."""
    entries = json.loads((machine.home.agencies / "directory.json").read_text())
    (agency_id,) = {entry["agency_id"] for entry in entries if entry["kind"] == kind}
    return str(agency_id)
