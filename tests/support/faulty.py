"""A proxy between a client and intake that hangs, resets, refuses or loses answers, as told."""

import http.client
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PASS, HANG, RESET, LOSE, GARBLE = "pass", "hang", "reset", "lose", "garble"


@dataclass
class Faulty:
    """What to do with the next requests; afterwards `then`. A number is a status to answer."""

    upstream: str
    plan: deque[str | int] = field(default_factory=deque)
    then: str | int = PASS
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and Idempotency-Key of each request, in order."""
    retry_after: str = "1"
    url: str = ""
    _let_go: threading.Event = field(default_factory=threading.Event)

    def next(self) -> str | int:
        return self.plan.popleft() if self.plan else self.then

    @property
    def keys(self) -> list[str | None]:
        return [key for _, _, key in self.seen]


@contextmanager
def faulty(upstream: str) -> Iterator[Faulty]:
    """A proxy on a port of its own."""
    told = Faulty(upstream)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.told = told
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield told
    finally:
        told._let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    told: Faulty


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _any(self) -> None:
        told = self.server.told
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        told.seen.append((self.command, self.path, self.headers.get("idempotency-key")))
        fault = told.next()
        self.close_connection = True
        if isinstance(fault, int):
            self._answer(fault, b'{"title":"Told so","status":503}', told.retry_after)
        elif fault == HANG:
            told._let_go.wait(30)
        elif fault == RESET:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            status, answer = self._upstream(body)
            if fault == GARBLE:
                answer = answer[: len(answer) // 2]
            if fault != LOSE:
                self._answer(status, answer, None)

    do_GET = do_POST = do_PUT = do_PATCH = _any  # noqa: N815

    def _upstream(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(
            urlsplit(self.server.told.upstream).netloc, timeout=10
        )
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, body: bytes, retry_after: str | None) -> None:
        self.send_response(status)
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
