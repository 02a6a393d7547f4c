"""Posting one letter, and saying truly what became of it (P2)."""

import asyncio
import re
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Protocol, Self

import aiohttp

from services.notify.delivery.egress import Resolver, guarded_sockets
from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from services.notify.directory.endpoint_tls import (
    Transport,
    UnusableTransport,
    client_changed_at,
    context_of,
)
from services.notify.directory.endpoints import EgressRefused, check_endpoint

_MOST_DISCARDED = 64 * 1024
_LONGEST_DISCARDING = 1.0
_KEEP_ALIVE_SECONDS = 4.0
"""Shorter than the 5 s after which common servers hang up: a stale connection means `unknown`."""
_NAMES_KEPT_SECONDS = 10
_SECONDS = re.compile(r"[0-9]+")
_FOR_EVER = 1e9


@dataclass(frozen=True, slots=True)
class Letter:
    """What to post, and where. `deadline` on the event loop's clock: all of it ends by then."""

    agency_id: str
    url: str
    allowed_networks: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes
    deadline: float
    transport: Transport | None = None
    """What its agency's record asks of TLS."""


class Sender(Protocol):
    """Posts letters. Used as an async context manager: leaving it closes every connection."""

    async def post(self, letter: Letter) -> Outcome:
        """Post once, without redirects or retries. Never raises but for cancellation."""

    def break_off(self) -> None:
        """End every post under way now, each with its true outcome."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@dataclass(slots=True)
class _Trip:
    """What is known of one post so far."""

    writing: bool = False
    obstacle: Obstacle = Obstacle.UNREACHABLE
    answer: Answered | None = None

    def outcome(self) -> Outcome:
        if self.answer is not None:
            return self.answer
        if self.writing:
            return Unknown()
        return NotSent(self.obstacle)


_TRIP: ContextVar[_Trip] = ContextVar("trip")


@dataclass(slots=True)
class AiohttpSender:
    """The sender in use. One connection pool per agency, so that none rides on another's rights.

    `tls` replaces the system's certificate authorities, for a private one. `own`: the beginning of
    the URLs of our own recipient on this machine, which has no TLS.
    """

    allow_http: bool = False
    tls: ssl.SSLContext | None = None
    own: str | None = None
    _resolver: Resolver = field(default_factory=Resolver, init=False)
    _sessions: dict[tuple[object, ...], aiohttp.ClientSession] = field(
        default_factory=dict, init=False
    )
    _under_way: set[asyncio.Timeout] = field(default_factory=set, init=False)
    keys: Path | None = field(default=None, kw_only=True)
    """notify's keys: `clients/NAME.pem` are our certificates for agencies that ask for one."""

    async def post(self, letter: Letter) -> Outcome:
        trip = _Trip()
        _TRIP.set(trip)
        limit = asyncio.timeout_at(letter.deadline)
        self._under_way.add(limit)
        try:
            async with limit:
                await self._post(letter, trip)
        except (EgressRefused, aiohttp.InvalidURL):
            trip.obstacle = Obstacle.EGRESS_REFUSED
        except aiohttp.ClientConnectorCertificateError:
            trip.obstacle = Obstacle.UNTRUSTED
        except UnusableTransport:
            trip.obstacle = Obstacle.BAD_TRANSPORT
        except Exception:  # noqa: S110 - whatever it was, the trip knows how far it came
            pass
        finally:
            self._under_way.discard(limit)
        return trip.outcome()

    async def _post(self, letter: Letter, trip: _Trip) -> None:
        ours = self.own is not None and letter.url.startswith(self.own)
        check_endpoint(letter.url, allow_http=self.allow_http or ours)
        response = await self._session(letter).post(
            letter.url,
            data=letter.body,
            headers=letter.headers,
            allow_redirects=False,
            trace_request_ctx=trip,
        )
        trip.answer = Answered(response.status, _retry_after(response.headers.get("Retry-After")))
        try:
            await _discard(response)
        finally:
            response.close()

    def break_off(self) -> None:
        now = asyncio.get_running_loop().time()
        for limit in self._under_way:
            if not limit.expired():
                limit.reschedule(now)

    def _session(self, letter: Letter) -> aiohttp.ClientSession:
        transport = letter.transport
        renewed = transport and client_changed_at(transport, self.keys)
        key = (letter.agency_id, letter.allowed_networks, transport, renewed)
        session = self._sessions.get(key)
        if session is None:
            tls = context_of(transport, self.keys, renewed) if transport else self.tls
            session = self._new_session(letter.allowed_networks, tls)
            self._sessions[key] = session
        return session

    def _new_session(
        self, allowed_networks: tuple[str, ...], tls: ssl.SSLContext | None
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                ssl=tls or context_of(None),
                resolver=self._resolver,
                ttl_dns_cache=_NAMES_KEPT_SECONDS,
                keepalive_timeout=_KEEP_ALIVE_SECONDS,
                socket_factory=guarded_sockets(allowed_networks, _note_refusal),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "Hartline", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            trust_env=False,
            trace_configs=[_tracing()],
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sessions = list(self._sessions.values())
        self._sessions.clear()
        for session in sessions:
            await session.close()
        await self._resolver.close()


def _tracing() -> aiohttp.TraceConfig:
    """Marks a trip just before the first byte of its request is written, on a new connection or a
    kept one. Until then not one byte of HTTP has left, whatever exception comes."""
    config = aiohttp.TraceConfig()

    async def on_headers_sent(
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        context.trace_request_ctx.writing = True

    config.on_request_headers_sent.append(on_headers_sent)
    return config


def _note_refusal() -> None:
    _TRIP.get().obstacle = Obstacle.EGRESS_REFUSED


async def _discard(response: aiohttp.ClientResponse) -> None:
    """Read a short answer to its end, so that the connection can be kept. Its text is nobody's."""
    if response.content.at_eof():
        return
    left = _MOST_DISCARDED
    async with asyncio.timeout(_LONGEST_DISCARDING):
        while left > 0 and (chunk := await response.content.readany()):
            left -= len(chunk)


def _retry_after(value: str | None) -> float | None:
    """Seconds from now, given as such or as an HTTP date; None when it says nothing sensible."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        return min(float(value), _FOR_EVER)
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError, TypeError):
        return None
