"""When the certificate of an agency's endpoint ends: looked at once a day, believed by nobody.

Nothing is sent but a TLS hello, to where the agency's record allows.
"""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509

from services.notify.delivery.egress import Resolver, guarded_sockets
from services.notify.directory.endpoints import EgressRefused, check_endpoint

SECONDS = 10.0


async def not_after(resolver: Resolver, endpoint: str, networks: Sequence[str]) -> datetime | None:
    """None: it is no https endpoint, or could not be reached."""
    parts = urlsplit(endpoint)
    if parts.scheme != "https" or parts.hostname is None:
        return None
    try:
        check_endpoint(endpoint, allow_http=False)
        async with asyncio.timeout(SECONDS):
            der = await _certificate(resolver, parts.hostname, parts.port or 443, networks)
        return None if der is None else x509.load_der_x509_certificate(der).not_valid_after_utc
    except (EgressRefused, OSError, ValueError):
        return None


async def _certificate(
    resolver: Resolver, host: str, port: int, networks: Sequence[str]
) -> bytes | None:
    found = await resolver.resolve(host, port)
    address = found[0]
    make = guarded_sockets(tuple(networks))
    family = address["family"]
    looking = ssl.create_default_context()
    looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
    connected = make((family, 1, address["proto"], "", (address["host"], port)))
    try:
        connected.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connected, (address["host"], port))
        _, writer = await asyncio.open_connection(sock=connected, ssl=looking, server_hostname=host)
    except BaseException:
        connected.close()
        raise
    try:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return tls.getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
