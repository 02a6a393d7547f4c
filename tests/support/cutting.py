"""A proxy before PostgreSQL that cuts the connection around a commit, so nobody knows its end.

What commits is a COMMIT, or a statement that writes and is its own transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import URL, make_url


class Cut(Enum):
    """Where to cut the next commit."""

    BEFORE = "The server never hears of it."
    AFTER = "It is committed; the client never hears of it."


@dataclass
class _Frontend:
    """What a client says, message by message (PostgreSQL's protocol, version 3)."""

    rest: bytes = b""
    begun: bool = False
    """Whether its first message, which alone has no type, has been read."""
    inside: bool = False
    """Whether it is in a transaction that a BEGIN began."""
    prepared: dict[bytes, bytes] = field(default_factory=dict)

    def commits(self, data: bytes) -> bool:
        """Whether something in this is a commit."""
        return True in [self._commits(kind, body) for kind, body in self._messages(data)]

    def _messages(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        self.rest += data
        while True:
            typed = 1 if self.begun else 0
            length = int.from_bytes(self.rest[typed : typed + 4], "big")
            if len(self.rest) < typed + 4 or len(self.rest) < typed + length:
                return
            kind, body = self.rest[:typed], self.rest[typed + 4 : typed + length]
            self.rest = self.rest[typed + length :]
            self.begun = self.begun or body[:2] == b"\x00\x03"
            yield kind, body

    def _commits(self, kind: bytes, body: bytes) -> bool:
        if kind == b"Q":
            self.inside = body.startswith(b"BEGIN") or (
                self.inside and not body.startswith((b"COMMIT", b"ROLLBACK"))
            )
            return body.startswith(b"COMMIT")
        if kind == b"P":
            name, statement, _ = body.split(b"\x00", 2)
            self.prepared[name] = statement
        if kind != b"B" or self.inside:
            return False
        _, name, _ = body.split(b"\x00", 2)
        return b"INSERT INTO" in self.prepared[name]


@dataclass
class CuttingProxy:
    """Passes everything on until armed. `cuts` counts the connections cut so far."""

    upstream: URL
    dsn: str = ""
    cuts: int = 0
    _armed: list[Cut] = field(default_factory=list)

    def arm(self, *cuts: Cut) -> None:
        """Cut the next commits, one after the other."""
        self._armed.extend(cuts)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await self._connect()
        answers = asyncio.create_task(_pump(upstream_reader, writer))
        frontend = _Frontend()
        try:
            while data := await reader.read(65536):
                cut = self._armed.pop(0) if frontend.commits(data) and self._armed else None
                if cut is Cut.BEFORE:
                    break
                if cut is Cut.AFTER:
                    await self._let_commit(answers, upstream_reader, upstream_writer, data)
                    break
                upstream_writer.write(data)
                await upstream_writer.drain()
            else:
                return
            self.cuts += 1
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            answers.cancel()
            writer.transport.abort()
            upstream_writer.transport.abort()

    async def _let_commit(
        self,
        answers: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        data: bytes,
    ) -> None:
        answers.cancel()
        with suppress(asyncio.CancelledError):
            await answers
        writer.write(data)
        await reader.read(65536)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = self.upstream.query.get("host")
        if isinstance(host, str):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.5432")
        return await asyncio.open_connection(self.upstream.host, self.upstream.port or 5432)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def cutting_proxy(dsn: str) -> AsyncIterator[CuttingProxy]:
    """A proxy before the server of `dsn`; connect to its own `dsn` on loopback."""
    url = make_url(dsn)
    proxy = CuttingProxy(url)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    near = URL.create("postgresql", url.username, url.password, "127.0.0.1", port, url.database)
    proxy.dsn = near.render_as_string(hide_password=False)
    try:
        yield proxy
    finally:
        server.close()
