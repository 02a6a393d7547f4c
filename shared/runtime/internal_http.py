"""Calls from one service to another: authenticated, bounded in time, and with errors that say
whether to try again."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from shared.runtime import keys, metrics, pools, tracing
from shared.runtime.auth import LocalIssuer
from shared.runtime.errors import Gone, Misconfigured, Permanent, Retryable
from shared.runtime.settings import ServiceSettings

Tokens = Callable[[], str]
"""Gives a bearer token that is valid now."""

_LIFETIME = timedelta(minutes=10)
_RENEW_SECONDS = 5 * 60
_CONNECTIONS = 4
"""Few, so that whoever else calls the other service comes between: a backlog of ours waits here."""
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


class Exchange(Protocol):
    """One request, one whole answer."""

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        """The answer's status and body. Raises aiohttp.ClientError or OSError without one."""

    async def close(self) -> None: ...


class AiohttpExchange:
    """Over aiohttp, which costs a fifth of httpx's CPU (docs/adr/0013). Follows no redirect and
    heeds no proxy. Connects when first used."""

    def __init__(self, base_url: str, seconds: float, *, name: str = "other") -> None:
        """`name`: whom it calls, as the metrics of its pool say."""
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        session = self._session or self._open()
        url = self._base_url + path
        async with session.request(
            method, url, headers=headers, data=body, allow_redirects=False
        ) as answer:
            return answer.status, await answer.read()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=4.0),
            timeout=aiohttp.ClientTimeout(
                total=self._seconds, sock_connect=min(2.0, self._seconds)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        pools.show_http(self._name, self._session)
        return self._session


class InternalClient:
    """One service's client for another."""

    def __init__(
        self,
        name: str,
        base_url: str,
        tokens: Tokens,
        *,
        seconds: float = 10.0,
        exchange: Exchange | None = None,
    ) -> None:
        """`name` is whom it calls; `seconds` bounds a whole call, the body included."""
        self._name = name
        self._tokens = tokens
        self._exchange = exchange or AiohttpExchange(base_url, seconds, name=name)

    async def get(self, path: str) -> Any:
        return await self.call("GET", path)

    async def post(
        self, path: str, content: object, headers: Mapping[str, str] | None = None
    ) -> Any:
        """`content` is sent as JSON; `headers` beside those that every call has."""
        return await self.call("POST", path, content, headers)

    async def call(
        self,
        method: str,
        path: str,
        content: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON. Raises Retryable, Permanent or Gone; never with a body's
        text."""
        began = time.perf_counter()
        outcome = "error"
        try:
            status, body = await self._send(method, path, content, headers or {})
            outcome = f"{status // 100}xx"
        finally:
            seconds = time.perf_counter() - began
            metrics.INTERNAL_SECONDS.labels(self._name, outcome).observe(seconds)
        return self._read(status, body)

    async def _send(
        self, method: str, path: str, content: object, more: Mapping[str, str]
    ) -> tuple[int, bytes]:
        headers = {**more, "Authorization": f"Bearer {self._token()}"}
        if tracing.on() and (following := tracing.here()):
            headers["traceparent"] = following
        body = None
        if content is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(content, separators=(",", ":")).encode()
        try:
            return await self._exchange.send(method, path, headers, body)
        except (aiohttp.ClientError, OSError) as error:
            raise Retryable(f"{self._name} did not answer ({type(error).__name__})") from None

    def _token(self) -> str:
        try:
            return self._tokens()
        except Misconfigured:
            raise Retryable(f"no token for {self._name}: its file cannot be read") from None

    def _read(self, status: int, body: bytes) -> Any:
        if status >= 500 or status in _TRY_AGAIN:
            raise Retryable(f"{self._name} answered {status}")
        if status == 410:
            raise Gone(f"{self._name} answered that it was destroyed")
        if not 200 <= status < 300:
            raise Permanent(f"{self._name} answered {status}")
        try:
            return json.loads(body)
        except ValueError:
            raise Retryable(f"{self._name} answered something other than JSON") from None

    async def close(self) -> None:
        await self._exchange.close()
