"""HTTP/1.1 for the load programs, both ends: kept connections and a parser in C, for what the
programs use themselves of the machine that they share is part of what they measure. Times are
seconds of time.time(), taken when bytes come, before anything is made of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import httptools

_IDLE_SECONDS = 4.0
"""Shorter than the 5 s after which intake ends an idle connection."""
_ANSWER_SECONDS = 300.0


@dataclass(slots=True)
class Request:
    """A request that came whole. `at`: its first byte; names of headers in lower case."""

    at: float
    path: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    at: float
    status: int
    body: bytes


Respond = Callable[[bytes], None]
"""Sends a whole answer, if anybody still waits for it."""


class _Served(asyncio.Protocol):
    """A caller's connection; it waits for an answer before it asks again."""

    def __init__(self, take: Callable[[Request, Respond], None], opened: "set[_Served]") -> None:
        self._take = take
        self._opened = opened
        self._parser = httptools.HttpRequestParser(self)
        self._kept_alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._opened.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._opened.discard(self)

    def data_received(self, data: bytes) -> None:
        self._at = time.time()
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._request = Request(self._at)

    def on_url(self, url: bytes) -> None:
        self._request.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._request.body += body

    def on_message_complete(self) -> None:
        self._kept_alive = self._parser.should_keep_alive()
        self._take(self._request, self._respond)

    def _respond(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)
        if not self._kept_alive:
            self.close()

    def close(self) -> None:
        """What was answered is written first."""
        self._transport.close()


@asynccontextmanager
async def serving(take: Callable[[Request, Respond], None], port: int) -> AsyncIterator[None]:
    """Afterwards connections are refused, and those open closed."""
    opened: set[_Served] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Served(take, opened), "127.0.0.1", port, backlog=1024
    )
    try:
        yield
    finally:
        server.close()
        for each in list(opened):
            each.close()
        await server.wait_closed()


class _Line(asyncio.Protocol):
    """A connection of our own, which asks one thing at a time."""

    def __init__(self) -> None:
        self.free_since = 0.0
        self.closed = False
        self._answer: asyncio.Future[Response] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("closed before the answer"))

    async def ask(self, request: bytes) -> Response:
        self._parser, self._body = httptools.HttpResponseParser(self), b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._at = time.time()
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.free_since = self._at
        if not self._parser.should_keep_alive():
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Response(self._at, self._parser.get_status_code(), self._body))

    def close(self) -> None:
        self.closed = True
        self._transport.close()


class Lines:
    """Connections to one port: as many as have a request on its way at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[_Line] = []

    async def ask(self, request: bytes) -> Response:
        """The answer to a whole request, sent once. Raises OSError, TimeoutError."""
        line = self._take() or await self._connect()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await line.ask(request)
        except BaseException:
            line.close()
            raise
        self._free.append(line)
        return answer

    def _take(self) -> _Line | None:
        """The one that was used last, so that the others grow old."""
        while self._free:
            line = self._free.pop()
            if not line.closed and time.time() - line.free_since < _IDLE_SECONDS:
                return line
            line.close()
        return None

    async def _connect(self) -> _Line:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(_Line, "127.0.0.1", self._port)
        return line

    def close(self) -> None:
        for each in self._free:
            each.close()
