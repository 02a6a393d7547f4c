"""Ports on loopback that nobody uses, and a claim on those that a run is to use."""

import secrets
import socket

# Below the ephemeral range: a client that retries a port of that range while its server is down
# can end up connected to itself, and then the server cannot have its port back.
_LOWEST, _HIGHEST = 20_000, 32_000

_CLAIMS: dict[int, int] = {}
"""Each port that this process has claimed, and the descriptor that holds the claim."""


def free_ports(count: int) -> list[int]:
    """That many different ports, free at this moment and claimed by nobody."""
    found: set[int] = set()
    while len(found) < count:
        port = _drawn()
        if is_free(port):
            found.add(port)
    return list(found)


def claim_ports(count: int) -> list[int]:
    """That many ports, this process's until it ends."""
    found: list[int] = []
    while len(found) < count:
        port = _drawn()
        if claim(port):
            found.append(port)
    return found


def claim(port: int) -> bool:
    """Have it until this process ends. False: somebody has it, or has claimed it.

    The claim is the UDP port of the same number. Hartline serves TCP alone, so whoever is to
    serve the port can take it at any time; but of two runs that begin in one moment, and find the
    same ports free, only one is given them. The kernel keeps it, and ends it with the process.
    """
    holder = _bound(port, socket.SOCK_DGRAM)
    if holder is None:
        return False
    if not _takes_tcp(port):
        holder.close()
        return False
    _CLAIMS[port] = holder.detach()
    return True


def is_free(port: int) -> bool:
    holder = _bound(port, socket.SOCK_DGRAM)
    if holder is None:
        return False
    holder.close()
    return _takes_tcp(port)


def _takes_tcp(port: int) -> bool:
    probe = _bound(port, socket.SOCK_STREAM)
    if probe is not None:
        probe.close()
    return probe is not None


def _bound(port: int, kind: socket.SocketKind) -> socket.socket | None:
    found = socket.socket(socket.AF_INET, kind)
    if kind is socket.SOCK_STREAM:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError:
        found.close()
        return None
    return found


def _drawn() -> int:
    return _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
