"""What stands before every route: the bound on load, the token, the body's size and type.

Deny by default: a path that is not listed as public needs a token before its body is read, even
to be told that it does not exist (P10).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import nullcontext
from dataclasses import dataclass

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime import metrics, tracing
from shared.runtime.auth import TokenVerifier, authenticate
from shared.runtime.logging import where
from shared.runtime.problem import Problem, of_exception, overloaded
from shared.runtime.text import check_text
from shared.runtime.traced_calls import traced

log = structlog.get_logger()

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PROBES = ("/livez", "/readyz")
_UNTRACED = nullcontext()
_TYPES = {"PATCH": "application/merge-patch+json"}


@dataclass(frozen=True, slots=True)
class Limits:
    """`body` in bytes, `body_seconds` for all of it to arrive, `in_flight` requests at once."""

    body: int = 1024 * 1024
    body_seconds: float = 10.0
    in_flight: int = 64


class _Gone(Exception):
    """The caller hung up before the request was whole."""


class _Cut(Exception):
    """The answer broke off after its first byte; the server closes the connection."""


class Guard:
    """ASGI middleware, outermost: no exception passes it, and no answer without its headers."""

    def __init__(
        self, app: ASGIApp, *, verifier: TokenVerifier, public: Iterable[str], limits: Limits
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._public = frozenset(public)
        self._limits = limits
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _refuse_socket(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            await self._admit(scope, receive, answer)
        except _Gone:
            return
        except Exception as error:
            await _end(error, scope, receive, answer)
        finally:
            _record(scope, answer)

    async def _admit(self, scope: Scope, receive: Receive, send: "_Answer") -> None:
        if scope["path"] in self._public:
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._limits.in_flight:
            metrics.HTTP_SHED.inc()
            raise overloaded()
        self._in_flight += 1
        metrics.HTTP_IN_FLIGHT.inc()
        try:
            await self._pass(scope, receive, send)
        finally:
            self._in_flight -= 1
            metrics.HTTP_IN_FLIGHT.dec()

    async def _pass(self, scope: Scope, receive: Receive, send: "_Answer") -> None:
        headers = Headers(scope=scope)
        principal = authenticate(self._verifier, headers.get("authorization"))
        scope.setdefault("state", {})["principal"] = principal
        if "content-length" in headers or "transfer-encoding" in headers:
            body = await _read(headers, receive, self._limits)
            if body:
                _check_type(scope["method"], headers)
                check_text(body)
            receive = _replay(body, receive)
        with traced(scope, headers, principal, send) if tracing.on() else _UNTRACED:
            await self._app(scope, receive, send)


async def _read(headers: Headers, receive: Receive, limits: Limits) -> bytes:
    """The whole body, however it is framed. One that is too large is read to its end, within
    reason and time, so that the caller can read the answer."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in _parts(receive):
                size += len(part)
                if size <= limits.body:
                    parts.append(part)
                elif size > 16 * limits.body:
                    break
    except TimeoutError:
        detail = f"The body must arrive within {limits.body_seconds:g} seconds."
        raise Problem(408, "Request Timeout", detail, headers={"Connection": "close"}) from None
    if size > limits.body:
        detail = f"The body may have {limits.body} bytes at most."
        raise Problem(413, "Content Too Large", detail, headers={"Connection": "close"})
    return b"".join(parts)


async def _parts(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _check_type(method: str, headers: Headers) -> None:
    expected = _TYPES.get(method, "application/json")
    given, _, parameters = headers.get("content-type", "").partition(";")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    plain = headers.get("content-encoding", "identity") == "identity"
    if given.strip().lower() == expected and charset in ("", "charset=utf-8") and plain:
        return
    accept = {"Accept-Patch": expected} if method == "PATCH" else {"Accept": expected}
    detail = f"Send {expected} in UTF-8, without a content encoding."
    raise Problem(415, "Unsupported Media Type", detail, headers=accept)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body first and then whatever the server says."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class _Answer:
    """A `send` that adds the security headers and remembers what was answered."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.began = time.perf_counter()
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


async def _end(error: Exception, scope: Scope, receive: Receive, answer: _Answer) -> None:
    """Turn what nobody caught into an answer, and log its class: its text may hold values."""
    problem = of_exception(error)
    if not isinstance(error, Problem):
        log.error("http_failed", error=error, where=where(error), route=_route(scope))
    if answer.status is not None:
        raise _Cut from None
    await problem.response()(scope, receive, answer)


def _record(scope: Scope, answer: _Answer) -> None:
    seconds = time.perf_counter() - answer.began
    status = str(answer.status or 499)
    route = _route(scope)
    method = scope["method"] if scope["method"] in _METHODS else "other"
    metrics.HTTP_SECONDS.labels(method, route, status).observe(seconds)
    if route not in _PROBES:
        ms = round(seconds * 1000, 1)
        log.info("http_request", method=method, route=route, status=status, ms=ms)


def _route(scope: Scope) -> str:
    """The path's template, never the path: that holds ids."""
    return str(getattr(scope.get("route"), "path", "none"))


async def _refuse_socket(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
