"""Calls from one service to another: authenticated, bounded in time, and with errors that say
whether to try again."""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from shared.runtime import keys, metrics
from shared.runtime.auth import LocalIssuer
from shared.runtime.errors import Misconfigured, Permanent, Retryable
from shared.runtime.settings import ServiceSettings

Tokens = Callable[[], str]
"""Gives a bearer token that is valid now."""

_LIFETIME = timedelta(minutes=10)
_RENEW_SECONDS = 5 * 60
_TRY_AGAIN = (401, 403, 408, 425, 429)
"""Beside 5xx: what may pass by itself, or when an operator has mended a key or a scope."""


def tokens(settings: ServiceSettings, subject: str, scopes: Iterable[str]) -> Tokens:
    """Tokens of the local issuer on one machine; otherwise those that the organisation's issuer
    writes to the file HARTLINE_INTERNAL_TOKEN. Raises Misconfigured when there is neither."""
    if settings.local_issuer_key is not None:
        return _local(LocalIssuer(settings.local_issuer_key, settings.issuer), subject, scopes)
    if settings.internal_token is not None:
        return _from_file(settings.internal_token)
    raise Misconfigured(
        "HARTLINE_INTERNAL_TOKEN is not set: set it to the file in which your issuer keeps this "
        f"service's token fresh (scopes {' '.join(sorted(scopes))})."
    )


def _local(issuer: LocalIssuer, subject: str, scopes: Iterable[str]) -> Tokens:
    wanted = frozenset(scopes)
    made_at, token = float("-inf"), ""

    def current() -> str:
        nonlocal made_at, token
        if time.monotonic() - made_at > _RENEW_SECONDS:
            made_at = time.monotonic()
            token = issuer.token(subject, wanted, lifetime=_LIFETIME)
        return token

    return current


def _from_file(path: Path) -> Tokens:
    keys.read_private(path)
    return lambda: keys.read_private(path).strip()


class InternalClient:
    """One service's client for another. Follows no redirect and heeds no proxy."""

    def __init__(
        self,
        name: str,
        base_url: str,
        tokens: Tokens,
        *,
        seconds: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`name` is whom it calls; `seconds` bounds a whole call, the body included."""
        self._name = name
        self._tokens = tokens
        self._seconds = seconds
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(seconds, connect=min(2.0, seconds)),
            limits=httpx.Limits(max_connections=32, keepalive_expiry=4.0),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    async def get(self, path: str) -> Any:
        return await self.call("GET", path)

    async def post(self, path: str, json: object) -> Any:
        return await self.call("POST", path, json)

    async def call(self, method: str, path: str, json: object = None) -> Any:
        """The answer's JSON. Raises Retryable or Permanent; never with a body's text."""
        began = time.perf_counter()
        outcome = "error"
        try:
            answer = await self._send(method, path, json)
            outcome = f"{answer.status_code // 100}xx"
        finally:
            seconds = time.perf_counter() - began
            metrics.INTERNAL_SECONDS.labels(self._name, outcome).observe(seconds)
        return self._read(answer)

    async def _send(self, method: str, path: str, json: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token()}"}
        try:
            async with asyncio.timeout(self._seconds):
                return await self._client.request(method, path, json=json, headers=headers)
        except (httpx.HTTPError, OSError) as error:
            raise Retryable(f"{self._name} did not answer ({type(error).__name__})") from None

    def _token(self) -> str:
        try:
            return self._tokens()
        except Misconfigured:
            raise Retryable(f"no token for {self._name}: its file cannot be read") from None

    def _read(self, answer: httpx.Response) -> Any:
        status = answer.status_code
        if status >= 500 or status in _TRY_AGAIN:
            raise Retryable(f"{self._name} answered {status}")
        if not answer.is_success:
            raise Permanent(f"{self._name} answered {status}")
        try:
            return answer.json()
        except ValueError:
            raise Retryable(f"{self._name} answered something other than JSON") from None

    async def close(self) -> None:
        await self._client.aclose()
