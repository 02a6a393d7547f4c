"""What a peer is sent and what it delivers: each event is told by the number in its data."""

import asyncio
import hashlib
import hmac
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from shared.runtime.lifecycle import settle
from tests.load.openloop import Answer, Send
from tests.load.receiver import Receiver
from tests.load.wire import Lines, Request

EVENT = "notice.made"
_TEXT_BYTES = 3_000
_WORDS = ("synthetic", "example", "notice", "of", "a", "test", "child", "in", "no", "town")
_KNOWN_SECONDS = 10.0
_FIRST = -1
_HEAD = (
    "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n"
    "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n"
)


@cache
def _text() -> str:
    return " ".join(random.Random(1).choices(_WORDS, k=_TEXT_BYTES // 2))[:_TEXT_BYTES]


def body(number: int) -> dict[str, Any]:
    """Some 3 kB; synthetic, and obviously so."""
    return {"event_type": EVENT, "data": {"number": number, "text": _text()}}


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Send]:
    """What sends the event of a number. Its reference is that number, which comes back."""
    settle()
    lines = Lines(port)

    async def send(number: int) -> Answer:
        content = json.dumps(body(number))
        answer = await lines.ask(f"{_HEAD.format(len(content))}{content}".encode())
        return Answer(answer.at, answer.status, str(number) if answer.status == 201 else "")

    try:
        yield send
    finally:
        lines.close()


async def taken(send: Send) -> None:
    """Until an event is taken: a source is known within a second of its making."""
    async with asyncio.timeout(_KNOWN_SECONDS):
        while not (await send(_FIRST)).reference:
            await asyncio.sleep(0.05)


@dataclass
class Endpoints(Receiver):
    """The peer's; they do as our partners do."""

    id_header: ClassVar[bytes] = b"webhookx-event-id"

    def __post_init__(self) -> None:
        self._arrived: dict[str, dict[str, float]] = defaultdict(dict)

    def signed(self, secret: str) -> dict[str, list[float]]:
        """Reference → when each endpoint got it first. Raises on one that the peer did not sign."""
        while self.kept:
            endpoint, request = self.kept.pop()
            assert request.headers[b"webhookx-signature"] == _signature(request, secret)
            arrived = self._arrived[str(json.loads(request.body)["number"])]
            arrived[endpoint] = min(request.at, arrived.get(endpoint, request.at))
        return {reference: sorted(each.values()) for reference, each in self._arrived.items()}


def _signature(request: Request, secret: str) -> bytes:
    content = request.headers[b"webhookx-timestamp"] + b"." + request.body
    return b"v1=" + hmac.digest(secret.encode(), content, hashlib.sha256).hex().encode()
