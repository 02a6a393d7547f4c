"""An agency's HTTP server, played on a raw socket: it answers, errs, hangs, resets or drips."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def notice_id(self) -> str:
        return self.headers["webhook-id"]


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def answer(status: int, *headers: str, body: bytes = b"") -> Behaviour:
    head = [f"HTTP/1.1 {status} Test", f"Content-Length: {len(body)}", *headers, "", ""]

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(head).encode() + body)
        await writer.drain()

    return behave


async def reset(_: Request, writer: asyncio.StreamWriter) -> None:
    """Take the whole request, then reset the connection."""
    writer.transport.abort()


async def answer_then_hang_up(_: Request, writer: asyncio.StreamWriter) -> None:
    """A 200 whose body never comes."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
    await writer.drain()
    writer.close()


async def garbage(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"I am not HTTP\r\n\r\n")
    await writer.drain()
    writer.close()


def drip(head: bytes = b"HTTP/1.1 200 OK\r\n", every: float = 0.02) -> Behaviour:
    """`head` at once, then a header that never ends, a byte at a time."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(every)

    return behave


@dataclass
class Receiver:
    """What it got, in order, and how it behaves: `script` by turn, then `behaviour` for ever."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open_requests: int = 0
    most_open: int = 0
    script: list[Behaviour] = field(default_factory=list)
    behaviour: Behaviour = field(default_factory=lambda: answer(200))
    before_reading: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None
    first_byte: Callable[[], Awaitable[None]] | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def notice_ids(self) -> list[str]:
        return [each.notice_id for each in self.requests]

    async def hang(self, _: Request, writer: asyncio.StreamWriter) -> None:
        """Say nothing until `released`; then answer 200."""
        await self.released.wait()
        if not writer.is_closing():
            await answer(200)(_, writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.before_reading is not None:
                await self.before_reading(writer)
            while not writer.is_closing():
                request = await self._read(reader)
                if request is None:
                    break
                self.requests.append(request)
                await self._behave(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        first = await reader.read(1)
        if not first:
            return None
        if self.first_byte is not None:
            await self.first_byte()
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head.rstrip("\r\n").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Request(line.split(" ")[1], headers, body)

    async def _behave(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.open_requests += 1
        self.most_open = max(self.most_open, self.open_requests)
        try:
            behaviour = self.script.pop(0) if self.script else self.behaviour
            await behaviour(request, writer)
        finally:
            self.open_requests -= 1


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of the loopback address."""
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
