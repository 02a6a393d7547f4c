"""One agency's endpoint: connections that are kept, and what every request begins with."""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlsplit

import aiohappyeyeballs

from services.notify.delivery.egress import AddrInfo, Resolver, guarded_sockets
from services.notify.delivery.lines import Line, Trip

_NAMES_KEPT_SECONDS = 10
_NEXT_ADDRESS_SECONDS = 0.25
"""After which the next address is tried beside one that has not answered (RFC 8305)."""
_OF_A_URL = "%/:?#[]@!$&'()*+,;=-._~"


class Endpoint:
    """Where the letters of one agency go, and by which rights: no other agency's go by these
    connections."""

    def __init__(
        self,
        url: str,
        networks: Sequence[str],
        tls: ssl.SSLContext,
        resolver: Resolver,
    ) -> None:
        """`url`: one that `check_endpoint` has passed."""
        parts = urlsplit(url)
        self._host = (parts.hostname or "").removesuffix(".")
        self._tls = tls if parts.scheme == "https" else None
        self._port = parts.port or (80 if self._tls is None else 443)
        self._networks = networks
        self._resolver = resolver
        self._free: dict[Line, None] = {}
        self._closed = False
        self._lookup: asyncio.Task[list[AddrInfo]] | None = None
        named = f"[{self._host}]" if ":" in self._host else self._host
        port = "" if self._port == (80 if self._tls is None else 443) else f":{self._port}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._head = (
            f"POST {quote(target, safe=_OF_A_URL)} HTTP/1.1\r\nHost: {named}{port}\r\n"
            "User-Agent: Hartline\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
        )

    async def post(self, headers: Mapping[str, str], body: bytes, trip: Trip) -> None:
        """Post once. Raises what connecting raises, before anything is written."""
        request = self._request(headers, body)
        line = self._kept() or await self._connect(trip)
        if line.closing:
            raise ConnectionResetError("closed before anything was written")
        try:
            await line.post(request, trip)
        finally:
            if self._closed:
                self.close()

    def close(self) -> None:
        """Keeps no connection any more; a post under way ends as it would, and its own then."""
        self._closed = True
        while self._free:
            self._free.popitem()[0].end()

    def _kept(self) -> Line | None:
        """The one that was used last, so that the others grow old."""
        while self._free:
            line, _ = self._free.popitem()
            if not line.stale:
                return line
            line.end()
        return None

    def _request(self, headers: Mapping[str, str], body: bytes) -> bytes:
        if not all(value.isprintable() for value in headers.values()):
            raise ValueError("a header that would end its line")
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"{self._head}{lines}Content-Length: {len(body)}\r\n\r\n"
        return head.encode("ascii") + body

    async def _connect(self, trip: Trip) -> Line:
        """Whoever answers there but fails at TLS is passed over for the next address, if any."""
        addresses = list(await self._addresses())
        guarded = guarded_sockets(self._networks, trip.refused)
        while True:
            sock = await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, socket_factory=guarded
            )
            try:
                peer = sock.getpeername()
            except OSError:
                sock.close()
                raise
            try:
                return await self._opened(sock)
            except OSError:
                aiohappyeyeballs.remove_addr_infos(addresses, peer)
                if not addresses:
                    raise

    async def _opened(self, sock: socket.socket) -> Line:
        _, line = await asyncio.get_running_loop().create_connection(
            lambda: Line(self._free),
            sock=sock,
            ssl=self._tls,
            server_hostname=None if self._tls is None else self._host,
        )
        return line

    async def _addresses(self) -> list[AddrInfo]:
        """Looked up once for all who ask meanwhile, and known for ten seconds."""
        if self._lookup is None:
            look_up = self._resolver.addresses(self._host, self._port)
            self._lookup = asyncio.get_running_loop().create_task(look_up)
            self._lookup.add_done_callback(self._looked_up)
        return await asyncio.shield(self._lookup)

    def _looked_up(self, lookup: asyncio.Task[list[AddrInfo]]) -> None:
        failed = lookup.cancelled() or lookup.exception() is not None
        lasts = 0 if failed else _NAMES_KEPT_SECONDS
        asyncio.get_running_loop().call_later(lasts, self._forget)

    def _forget(self) -> None:
        self._lookup = None
