"""HTTP/1.1 over a kept connection, a request at a time.

Of an answer its status and its Retry-After are read. The rest is nobody's: it is read over, as far
as it is short, so that the connection can be kept.
"""

import asyncio
import select
from dataclasses import dataclass
from typing import cast

import httptools

from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from services.notify.delivery.retry_after import seconds_of

_HTTP_1 = b"HTTP/1."
_MOST_READ = 64 * 1024
_LONGEST_READING = 1.0
_KEPT_SECONDS = 4.0
"""Shorter than the 5 s after which common servers hang up: a stale connection means `unknown`."""


@dataclass(slots=True)
class Trip:
    """What is known of one post so far."""

    writing: bool = False
    """Not one byte of HTTP has left before this is set."""
    obstacle: Obstacle = Obstacle.UNREACHABLE
    answer: Answered | None = None

    def outcome(self) -> Outcome:
        if self.answer is not None:
            return self.answer
        if self.writing:
            return Unknown()
        return NotSent(self.obstacle)

    def refused(self) -> None:
        self.obstacle = Obstacle.EGRESS_REFUSED


class Line(asyncio.Protocol):
    """A connection. Whatever is odd about an answer ends it, and so does what nobody asked for."""

    def __init__(self, free: "dict[Line, None]") -> None:
        self._free = free
        self._trip: Trip | None = None
        self._retry_after: str | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._resting: asyncio.TimerHandle | None = None

    async def post(self, request: bytes, trip: Trip) -> None:
        """Returns once the answer has come to its end, or no more of it is wanted, or none can
        come. `trip` knows which, at any time."""
        if self._resting is not None:
            self._resting.cancel()
        self._trip, self._left, self._fit, self._retry_after = trip, _MOST_READ, False, None
        self._begun = b""
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self._over = asyncio.get_running_loop().create_future()
        trip.writing = True
        self._transport.write(request)
        try:
            await self._over
        finally:
            self._rest()

    @property
    def closing(self) -> bool:
        return self._transport.is_closing()

    @property
    def stale(self) -> bool:
        """Whether the peer has hung up, or said what nobody asked for, even if the event loop has
        not come to read it yet."""
        if self.closing:
            return True
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN | select.POLLRDHUP)
        return bool(waiting.poll(0))

    def end(self) -> None:
        self._free.pop(self, None)
        self._transport.abort()
        self._stop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._socket = transport.get_extra_info("socket").fileno()

    def connection_lost(self, error: Exception | None) -> None:
        self._free.pop(self, None)
        if self._resting is not None:
            self._resting.cancel()
        self._stop()

    def data_received(self, data: bytes) -> None:
        if self._trip is None:
            self.end()
            return
        self._left -= len(data)
        self._begun = (self._begun + data).lstrip(b"\r\n")[: len(_HTTP_1)]
        if not _HTTP_1.startswith(self._begun):  # The parser reads RTSP as well.
            self.end()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.end()
        if self._over.done():
            return
        if self._left < 0:
            self.end()
        elif self._trip.answer is not None and self._reading is None:
            self._reading = asyncio.get_running_loop().call_later(_LONGEST_READING, self.end)

    # What the parser finds

    def on_message_begin(self) -> None:
        if self._over.done():
            raise ValueError("an answer to nothing")
        self._retry_after = None

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after" and self._retry_after is None:
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._trip is not None and (status >= 200 or status == 101):
            self._trip.answer = Answered(status, seconds_of(self._retry_after))

    def on_message_complete(self) -> None:
        """Of an answer, or of one that only says that it is to come."""
        if self._trip is not None and self._trip.answer is not None:
            written = not self._transport.get_write_buffer_size()
            self._fit = written and self._parser.should_keep_alive()
            self._stop()
        else:
            self._begun = b""

    def _stop(self) -> None:
        if self._trip is not None and not self._over.done():
            self._over.set_result(None)

    def _rest(self) -> None:
        """Be kept for the next, if this one ended well."""
        self._trip = None
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        if self._fit and not self.closing:
            self._free[self] = None
            loop = asyncio.get_running_loop()
            self._resting = loop.call_later(_KEPT_SECONDS, self.end)
        else:
            self.end()
