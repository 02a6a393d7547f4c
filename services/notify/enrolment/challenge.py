"""Whether an endpoint holds the key: it is sent a JWE, and answers with what only that opens.

The endpoint answers 200 with `{"challenge": "…"}`, the value of the plaintext's member of that
name. One POST, guarded as every notice's is; at most 4 KiB of its answer are read.
"""

import asyncio
import hmac
import json
import secrets
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from joserfc.errors import JoseError

from services.notify.delivery import envelope
from services.notify.delivery.egress import Resolver, guarded_sockets
from services.notify.delivery.signing import Signer
from services.notify.directory.endpoint_tls import (
    Transport,
    UnusableTransport,
    client_changed_at,
    context_of,
)
from services.notify.directory.endpoints import EgressRefused, check_endpoint
from shared.runtime.ids import new_id

SECONDS = 10.0
_MOST = 4096


class NotProved(Exception):
    """The text says why, for a person to read; nothing of what the endpoint said."""


class Challenger:
    """`allow_http`: a development profile; `tls` and `keys` as for the sender of notices."""

    def __init__(
        self,
        signer: Signer,
        *,
        allow_http: bool,
        tls: ssl.SSLContext | None = None,
        keys: Path | None = None,
    ) -> None:
        self._signer = signer
        self._allow_http = allow_http
        self._tls = tls
        self._keys = keys

    async def prove(
        self,
        agency_id: str,
        endpoint: str,
        key: Mapping[str, Any],
        networks: Sequence[str],
        now: datetime,
        transport: Transport | None = None,
    ) -> None:
        """Returns when the endpoint has opened it. Raises NotProved."""
        secret = secrets.token_urlsafe(32)
        plaintext = json.dumps({"kind": "challenge", "challenge": secret}).encode()
        answer = await self._post(agency_id, endpoint, key, networks, plaintext, now, transport)
        try:
            said = json.loads(answer)["challenge"]
        except (ValueError, KeyError, TypeError):
            raise NotProved("it answered something other than the challenge") from None
        if not hmac.compare_digest(str(said).encode(), secret.encode()):
            raise NotProved("it answered another challenge")

    async def send_test(
        self,
        agency_id: str,
        role: str,
        endpoint: str,
        key: Mapping[str, Any],
        networks: Sequence[str],
        now: datetime,
        transport: Transport | None = None,
    ) -> None:
        """A DCF-737 about nobody, as a real one would come. Raises NotProved unless accepted."""
        notice_id = new_id("ntc")
        plaintext = envelope.plaintext(_test_notice(notice_id, agency_id, role, now))
        await self._post(agency_id, endpoint, key, networks, plaintext, now, transport, notice_id)

    async def _post(
        self,
        agency_id: str,
        endpoint: str,
        key: Mapping[str, Any],
        networks: Sequence[str],
        plaintext: bytes,
        now: datetime,
        transport: Transport | None,
        message_id: str | None = None,
    ) -> bytes:
        message_id = message_id or new_id("chl")
        try:
            body = envelope.encrypt(plaintext, agency_id, key, message_id, now)
        except (JoseError, ValueError, KeyError):
            raise NotProved("its key cannot be encrypted to") from None
        headers = {
            "Content-Type": envelope.CONTENT_TYPE,
            **self._signer.headers(message_id, now, body),
        }
        try:
            check_endpoint(endpoint, allow_http=self._allow_http)
            async with asyncio.timeout(SECONDS):
                return await self._exchange(
                    endpoint, networks, headers, body, self._context(transport)
                )
        except EgressRefused:
            raise NotProved("its endpoint may not be sent to") from None
        except UnusableTransport as error:
            raise NotProved(str(error)) from None
        except aiohttp.ClientConnectorCertificateError:
            raise NotProved("its certificate is not one to trust") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotProved(f"it did not answer ({type(error).__name__})") from None

    def _context(self, transport: Transport | None) -> ssl.SSLContext:
        if transport is None:
            return self._tls or context_of(None)
        return context_of(transport, self._keys, client_changed_at(transport, self._keys))

    async def _exchange(
        self,
        endpoint: str,
        networks: Sequence[str],
        headers: Mapping[str, str],
        body: bytes,
        tls: ssl.SSLContext,
    ) -> bytes:
        resolver = Resolver()
        connector = aiohttp.TCPConnector(
            ssl=tls,
            resolver=resolver,
            socket_factory=guarded_sockets(tuple(networks)),
            force_close=True,
        )
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers={"Accept-Encoding": "identity"},
                    auto_decompress=False,
                    trust_env=False,
                ) as session,
                session.post(endpoint, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                if not 200 <= answer.status < 300:
                    raise NotProved(f"it answered with the status {answer.status}")
                return await _capped(answer.content)
        finally:
            await resolver.close()


async def _capped(content: aiohttp.StreamReader) -> bytes:
    read = b""
    while len(read) < _MOST and (chunk := await content.read(_MOST - len(read))):
        read += chunk
    return read


def _test_notice(notice_id: str, agency_id: str, role: str, now: datetime) -> envelope.Notice:
    return envelope.Notice(
        notice_id=notice_id,
        kind="original",
        version=1,
        supersedes=None,
        referral_number="HL-TEST-TEST",
        trigger="careline",
        received_at=now,
        agency_id=agency_id,
        role=role,
        authority="None needed: this is a test",
        purpose="Test of a new endpoint. Nobody is meant; do nothing.",
        child_id=f"chd_{0:032x}",
        child={"name": "Test Child", "reasons_for_suspicion": "A test. Nobody is meant."},
    )
