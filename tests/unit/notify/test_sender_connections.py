"""Which connections are kept, and which answers are no HTTP."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.notify.delivery.outcomes import Answered, Unknown
from services.notify.delivery.sender import HttpSender, Letter
from tests.support.receiver import Receiver, Request, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


@pytest.fixture
async def sender() -> AsyncIterator[HttpSender]:
    async with HttpSender(allow_http=True) as opened:
        yield opened


def _letter(url: str) -> Letter:
    by = asyncio.get_running_loop().time() + 2.0
    return Letter("agy", url, ("127.0.0.0/8",), {}, b"x", by)


async def test_what_speaks_another_protocol_after_a_100_has_not_answered(
    receiver: Receiver,
    sender: HttpSender,
) -> None:
    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    receiver.behaviour = behave
    assert await sender.post(_letter(receiver.url)) == Unknown()


async def test_a_post_under_way_as_the_record_changes_ends_truly_and_its_connection_is_not_kept(
    receiver: Receiver,
    sender: HttpSender,
) -> None:
    go = asyncio.Event()

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path.endswith("/a"):
            await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    receiver.behaviour = behave
    old = asyncio.create_task(sender.post(_letter(f"{receiver.url}/a")))
    await asyncio.sleep(0.05)
    before = sender._endpoints["agy"][1]
    assert await sender.post(_letter(f"{receiver.url}/b")) == Answered(200)
    go.set()
    assert await old == Answered(200)
    assert not before._free
