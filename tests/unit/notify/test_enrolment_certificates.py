"""Looking at an endpoint's certificate leaves nothing open, whatever the endpoint does."""

import asyncio
import gc
import socket
import warnings
from collections.abc import AsyncIterator

import pytest

from services.notify.delivery.egress import Resolver
from services.notify.enrolment.certificates import not_after

LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    made = Resolver()
    yield made
    await made.close()


async def unclosed(resolver: Resolver, port: int) -> list[str]:
    """What the garbage collector had to close afterwards."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert await not_after(resolver, f"https://127.0.0.1:{port}/hook", LOOPBACK) is None
        await asyncio.sleep(0)
        gc.collect()
    return [str(each.message) for each in seen if each.category is ResourceWarning]


async def test_an_endpoint_that_refuses_leaves_no_socket(resolver: Resolver) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert await unclosed(resolver, port) == []


async def test_an_endpoint_that_hangs_up_leaves_no_socket(resolver: Resolver) -> None:
    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        assert await unclosed(resolver, server.sockets[0].getsockname()[1]) == []
