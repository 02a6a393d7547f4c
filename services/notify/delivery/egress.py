"""Where a notice may go. The guard stands at the socket, where no name or redirect can lie.

A guard in the resolver is bypassed by address literals; one at the socket sees the address that
is about to be connected to, whichever way it was come by.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from services.notify.directory.endpoints import EgressRefused

AddrInfo = tuple[int | Any, int | Any, int, str, tuple[Any, ...]]
SocketFactory = Callable[[AddrInfo], socket.socket]

_NAT64 = ip_network("64:ff9b::/96")
_TRANSLATED = (_NAT64, ip_network("64:ff9b:1::/48"), ip_network("::ffff:0:0:0/96"))
"""Their last 32 bits are an IPv4 address: NAT64, a network's own NAT64, SIIT."""
_GLOBAL_UNICAST = ip_network("2000::/3")
_NEVER = tuple(
    ip_network(text)
    for text in (
        # What `is_global` lets through: protocol assignments, relays, multicast, tunnels, examples.
        "192.0.0.0/24",
        "192.88.99.0/24",
        "224.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        # A public address that leads to the host's own cloud.
        "168.63.129.16/32",
    )
)
_NOT_EVEN_LISTED = tuple(
    ip_network(text)
    for text in (
        # Nobody, everybody, the link, many at once, and the clouds' metadata services.
        "0.0.0.0/8",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fd00:ec2::/32",
        "fd20:ce::/32",
        "fe80::/10",
        "ff00::/8",
    )
)
_RESOLVER_THREADS = 32


def guarded_sockets(
    allowed_networks: Sequence[str], on_refusal: Callable[[], None] = lambda: None
) -> SocketFactory:
    """A socket factory that raises EgressRefused for an address which is neither public nor in
    one of the networks (CIDR) that the agency's record lists. No list opens the link, multicast
    or a cloud's metadata."""
    allowed = tuple(ip_network(each, strict=False) for each in allowed_networks)

    def make(address: AddrInfo) -> socket.socket:
        family, kind, protocol, _, sockaddr = address
        target = _address(str(sockaddr[0]))
        listed = any(target in network for network in allowed) and not _is_never(target)
        if not (listed or is_public(target)):
            on_refusal()
            raise EgressRefused("the address is neither public nor allowed for this agency")
        return socket.socket(family, kind, protocol)

    return make


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a unicast address of the public internet, through and through."""
    if any(address in network for network in _NEVER):
        return False
    if isinstance(address, IPv4Address):
        return address.is_global
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_UNICAST


def _is_never(address: IPv4Address | IPv6Address) -> bool:
    """Whether it, or an IPv4 address that it stands for, is one that no list opens."""
    inner: IPv4Address | None = None
    if isinstance(address, IPv6Address):
        translated = any(address in network for network in _TRANSLATED)
        inner = IPv4Address(int(address) & 0xFFFFFFFF) if translated else address.sixtofour
    return any(each in network for network in _NOT_EVEN_LISTED for each in (address, inner) if each)


def _address(host: str) -> IPv4Address | IPv6Address:
    """The address without its zone, and as IPv4 where it is only IPv4 in disguise."""
    address = ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


class Resolver(AbstractResolver):
    """getaddrinfo on threads of its own: names that hang hold up nobody else's work."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="resolve")

    async def addresses(self, host: str, port: int) -> list[AddrInfo]:
        """In the order in which they are to be tried."""
        return await self._look_up(host, port, socket.AF_UNSPEC)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in await self._look_up(host, port, family)
        ]

    async def _look_up(self, host: str, port: int, family: int) -> list[AddrInfo]:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, _look_up, host, port, family
        )

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: int) -> list[AddrInfo]:
    return list(
        socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    )
