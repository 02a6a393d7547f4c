"""The phone system of a load run: each call is one referral, sent once."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from deploy.machine.machine import Machine
from shared.runtime.lifecycle import settle
from tests.load import referrals
from tests.load.openloop import Answer, Send, Sent, one
from tests.load.wire import Lines
from tests.support import machines

_TOKEN_SECONDS = 240.0
_HEAD = (
    "POST /v1/referrals HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n"
    "Content-Type: application/json\r\nAuthorization: Bearer {}\r\n"
)


class _Token:
    """Renewed before it expires: a soak outlives one."""

    def __init__(self, machine: Machine) -> None:
        self._fresh = partial(machines.token, machine, "referrals:create")
        self._until = 0.0
        self._head = ""

    def head(self) -> str:
        """What the heads of all requests have in common."""
        if time.monotonic() > self._until:
            self._head, self._until = _HEAD.format(self._fresh()), time.monotonic() + _TOKEN_SECONDS
        return self._head


@asynccontextmanager
async def calling(
    machine: Machine, body: Callable[[int], dict[str, Any]] = referrals.body
) -> AsyncIterator[Send]:
    """What sends the referral of a number, and says its status and its own number.

    Call it before anything is measured: it spares the run the collector's long walks.
    """
    settle()
    token, lines = _Token(machine), Lines(machine.ports.intake)

    async def send(number: int) -> Answer:
        content = json.dumps(body(number))
        one = f"Idempotency-Key: {secrets.token_hex(16)}\r\nContent-Length: {len(content)}\r\n\r\n"
        answer = await lines.ask(f"{token.head()}{one}{content}".encode())
        return Answer(answer.at, answer.status, json.loads(answer.body).get("number", ""))

    try:
        yield send
    finally:
        lines.close()


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
