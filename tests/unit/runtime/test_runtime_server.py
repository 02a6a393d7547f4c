"""uvicorn as a role, over a real socket."""

import asyncio
import signal
import socket

import httpx
import pytest
from fastapi import FastAPI

from shared.runtime.errors import PortTaken
from shared.runtime.lifecycle import run_roles
from shared.runtime.server import BoundedHead, listen, serve, serve_on


class Served:
    """An application on a free port, for the length of a `with`."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.stop = asyncio.Event()

    async def __aenter__(self) -> "Served":
        listener = listen("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        self.task = asyncio.create_task(serve_on(self.app, listener, self.stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await self.task


async def test_a_request_under_way_is_answered_before_the_role_ends(
    app: FastAPI, headers: dict[str, str]
) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    @app.get("/slow")
    async def slow() -> int:
        begun.set()
        await gate.wait()
        return 1

    async with Served(app) as served, httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{served.port}/slow"
        request = asyncio.create_task(client.get(url, headers=headers))
        await begun.wait()
        served.stop.set()
        await asyncio.sleep(0.01)
        gate.set()
        assert (await request).json() == 1


async def test_whoever_calls_while_it_ends_is_answered_and_told_to_connect_elsewhere(
    app: FastAPI, headers: dict[str, str]
) -> None:
    """A connection that is closed between two requests costs the caller the second."""

    @app.get("/fast")
    async def fast() -> int:
        return 1

    async with Served(app) as served, httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{served.port}/fast"
        assert "connection" not in (await client.get(url, headers=headers)).headers
        served.stop.set()
        await asyncio.sleep(0)
        answers = [await client.get(url, headers=headers) for _ in range(2)]
        assert [each.json() for each in answers] == [1, 1]
        assert [each.headers["connection"] for each in answers] == ["close", "close"]


async def test_the_role_leaves_signals_to_the_lifecycle(app: FastAPI) -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with Served(app) as served:
        await asyncio.sleep(0.02)
        assert signal.getsignal(signal.SIGTERM) is before
        assert not served.task.done()


async def test_a_port_that_is_taken_ends_every_role_with_a_sentence(app: FastAPI) -> None:
    """Nobody would be served by a process that tries for ever; its others finish their work."""
    finished = []

    async def other(stop: asyncio.Event) -> None:
        await stop.wait()
        finished.append(1)

    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        async with asyncio.timeout(5):
            with pytest.raises(PortTaken, match=f"Port {port} of 127.0.0.1 .*another process has"):
                await run_roles({"other": other, "api": serve(app, "127.0.0.1", port)})
    assert finished == [1]


async def test_an_address_that_is_not_this_hosts_is_told_as_that(app: FastAPI) -> None:
    with pytest.raises(PortTaken, match=r"192\.0\.2\.1 cannot be listened on: .*HARTLINE_HOST"):
        await serve(app, "192.0.2.1", 1)(asyncio.Event())


async def test_connections_do_not_wait_for_delayed_acks() -> None:
    with listen("127.0.0.1", 0) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_body_that_is_far_too_large_still_gets_its_answer(
    app: FastAPI, headers: dict[str, str]
) -> None:
    async with Served(app) as served, httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{served.port}/things/1"
        headers = headers | {"Content-Type": "application/json"}
        answer = await client.post(url, content=b"x" * 15_000, headers=headers)
        assert answer.status_code == 413


async def test_an_endless_head_ends_the_connection(app: FastAPI) -> None:
    async with Served(app) as served, asyncio.timeout(5):
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            while True:
                writer.write(b"x: " + b"x" * 1000 + b"\r\n")
                await writer.drain()
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n"])
async def test_a_head_that_does_not_come_ends_the_connection(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(BoundedHead, "head_seconds", 0.03)
    async with Served(app) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(sent)
        assert await reader.read() == b""
        writer.close()


async def test_a_slow_handler_is_not_taken_for_a_slow_head(
    app: FastAPI, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHead, "head_seconds", 0.03)

    @app.get("/slow")
    async def slow() -> int:
        await asyncio.sleep(0.06)
        return 1

    async with Served(app) as served, httpx.AsyncClient(trust_env=False) as client:
        for _ in range(2):
            answer = await client.get(f"http://127.0.0.1:{served.port}/slow", headers=headers)
            assert answer.json() == 1
