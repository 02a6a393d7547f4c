"""uvicorn as one of a process's roles."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EADDRINUSE

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.runtime.errors import PortTaken
from shared.runtime.lifecycle import Role

_DRAIN_SECONDS = 8
_LAST_SECONDS = 0.3
"""Between being asked to stop and ending what is idle: who is calling hears of it by an answer."""
_LAST = (b"connection", b"close")
_HEAD_SECONDS = 10.0
_HEAD_BYTES = 64 * 1024


def serve(app: ASGIApp, host: str, port: int) -> Role:
    """A role that serves `app` until asked to stop, then ends the requests under way.

    The role raises PortTaken, which ends the process, for a port that cannot be had.
    """

    async def role(stop: asyncio.Event) -> None:
        with _own(host, port) as listener:
            await serve_on(app, listener, stop)

    return role


def _own(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        why = "another process has it" if error.errno == EADDRINUSE else str(error.strerror)
        raise PortTaken(
            f"Port {port} of {host} cannot be listened on: {why}. End that process, or set another "
            "address (HARTLINE_HOST) or port (docs/settings.md)."
        ) from None


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1024)
    # Inherited by what it accepts. asyncio leaves it out for a socket it was handed, and then
    # every request that comes in two packets waits 40 ms for a delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def serve_on(app: ASGIApp, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve `app` on a socket that listens already."""
    server = _Server(
        uvicorn.Config(
            app,
            http=BoundedHead,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )
    stopper = asyncio.create_task(_stop(server, stop))
    try:
        await server.serve(sockets=[listener])
    finally:
        stopper.cancel()


async def _stop(server: "_Server", stop: asyncio.Event) -> None:
    await stop.wait()
    server.say_last()
    await asyncio.sleep(_LAST_SECONDS)
    server.should_exit = True


class _Server(uvicorn.Server):
    def say_last(self) -> None:
        """From now on each answer is its connection's last, and says so: a caller who was not told
        would send the next request into a connection that is being closed."""
        self.config.encoded_headers.append(_LAST)
        self.server_state.default_headers.append(_LAST)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to `lifecycle`."""
        yield


class BoundedHead(HttpToolsProtocol):
    """Ends a connection whose request's head is too long or too slow in coming; uvicorn would
    collect it for ever, before anybody has shown a token."""

    head_seconds = _HEAD_SECONDS
    _size = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        if self._timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect()
        self._size += len(data)
        super().data_received(data)
        if self._timer is not None and self._size > _HEAD_BYTES:
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._met()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._met()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._size = 0
        self._timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _met(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
