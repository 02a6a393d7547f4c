"""A proxy before PostgreSQL that cuts the connection around a COMMIT, so nobody knows its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import URL, make_url


class Cut(Enum):
    """Where to cut the next commit."""

    BEFORE = "The server never hears of it."
    AFTER = "It is committed; the client never hears of it."


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
        try:
            while data := await reader.read(65536):
                cut = self._armed.pop(0) if self._armed and b"COMMIT" in data else None
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
