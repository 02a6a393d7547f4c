"""Ports on loopback that nobody uses."""

import secrets
import socket

# Below the ephemeral range: a client that retries a port of that range while its server is down
# can end up connected to itself, and then the server cannot have its port back.
_LOWEST, _HIGHEST = 20_000, 32_000


def free_ports(count: int) -> list[int]:
    """That many different ports, free at this moment."""
    found: set[int] = set()
    while len(found) < count:
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if is_free(port):
            found.add(port)
    return list(found)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
