"""Posting one letter, and saying truly what became of it (P2)."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from services.notify.delivery.egress import Resolver
from services.notify.delivery.endpoint import Endpoint
from services.notify.delivery.lines import Trip
from services.notify.delivery.outcomes import Obstacle, Outcome
from services.notify.directory.endpoint_tls import (
    Transport,
    UnusableTransport,
    client_changed_at,
    context_of,
)
from services.notify.directory.endpoints import EgressRefused, check_endpoint

_Rights = tuple[object, ...]


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
class HttpSender:
    """The sender in use. Connections are kept per agency, so that none rides on another's rights,
    as long as its record stays as it is.

    `tls` replaces the system's certificate authorities, for a private one. `own`: the beginning of
    the URLs of our own recipient on this machine, which has no TLS.
    """

    allow_http: bool = False
    tls: ssl.SSLContext | None = None
    own: str | None = None
    _resolver: Resolver = field(default_factory=Resolver, init=False)
    _endpoints: dict[str, tuple[_Rights, Endpoint]] = field(default_factory=dict, init=False)
    _under_way: set[asyncio.Timeout] = field(default_factory=set, init=False)
    keys: Path | None = field(default=None, kw_only=True)
    """notify's keys: `clients/NAME.pem` are our certificates for agencies that ask for one."""

    async def post(self, letter: Letter) -> Outcome:
        trip = Trip()
        if asyncio.get_running_loop().time() >= letter.deadline:
            return trip.outcome()
        limit = asyncio.timeout_at(letter.deadline)
        self._under_way.add(limit)
        try:
            async with limit:
                await self._endpoint(letter).post(letter.headers, letter.body, trip)
        except EgressRefused:
            trip.obstacle = Obstacle.EGRESS_REFUSED
        except ssl.SSLCertVerificationError:
            trip.obstacle = Obstacle.UNTRUSTED
        except UnusableTransport:
            trip.obstacle = Obstacle.BAD_TRANSPORT
        except Exception:  # noqa: S110 - whatever it was, the trip knows how far it came
            pass
        finally:
            self._under_way.discard(limit)
        return trip.outcome()

    def break_off(self) -> None:
        now = asyncio.get_running_loop().time()
        for limit in self._under_way:
            if not limit.expired():
                limit.reschedule(now)

    def _endpoint(self, letter: Letter) -> Endpoint:
        ours = self.own is not None and letter.url.startswith(self.own)
        check_endpoint(letter.url, allow_http=self.allow_http or ours)
        transport = letter.transport
        renewed = transport and client_changed_at(transport, self.keys)
        rights = (letter.url, letter.allowed_networks, transport, renewed)
        known = self._endpoints.get(letter.agency_id)
        if known is not None and known[0] == rights:
            return known[1]
        tls = context_of(transport, self.keys, renewed) if transport else self.tls
        endpoint = Endpoint(
            letter.url, letter.allowed_networks, tls or context_of(None), self._resolver
        )
        if known is not None:
            known[1].close()
        self._endpoints[letter.agency_id] = rights, endpoint
        return endpoint

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, endpoint in self._endpoints.values():
            endpoint.close()
        self._endpoints.clear()
        await self._resolver.close()
        # Transports that were ended say so in the next turn of the loop.
        await asyncio.sleep(0)
