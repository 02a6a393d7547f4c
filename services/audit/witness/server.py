"""The witness over HTTP, by the standard library: POST /add-checkpoint (c2sp.org/tlog-witness)."""

import io
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, assert_never

from services.audit.cosignature import Cosigner
from services.audit.note import MAX_NOTE_BYTES
from services.audit.witness.rules import (
    Cosign,
    Fork,
    Keys,
    Malformed,
    OldSize,
    UnknownLog,
    Unproven,
    Unsigned,
    judge,
    parse_request,
)
from services.audit.witness.state import State

MAX_BODY_BYTES = MAX_NOTE_BYTES + 8 * 1024
_MOST_THREADS = 64
_SECONDS = 10.0

Answer = tuple[int, str, bytes]
"""Status, content type, body."""


class Witness:
    """Judges, persists, then cosigns, one request at a time: that is what makes it atomic."""

    def __init__(
        self, cosigner: Cosigner, keys: Keys, state: State, now: Callable[[], float] = time.time
    ) -> None:
        self._cosigner = cosigner
        self._keys = keys
        self._state = state
        self._now = now
        self._lock = threading.Lock()

    def add_checkpoint(self, body: bytes) -> Answer:
        with self._lock:
            judgement = judge(body, self._keys, self._state.last)
            match judgement:
                case Cosign(checkpoint, text, note):
                    self._state.remember(checkpoint, note)
                    line = self._cosigner.line(text, int(self._now()))
                    return 200, _TEXT, line.encode()
                case OldSize(size):
                    return 409, "text/x.tlog.size", f"{size}\n".encode()
                case Fork(size):
                    why = "the log signed two different trees of one size"
                    self._keep(body, why, proof=True)
                    return 409, "text/x.tlog.size", f"{size}\n".encode()
                case Unproven(why):
                    self._keep(body, f"{why}; its sender may have spoilt the proof", proof=False)
                    return 422, _TEXT, f"{why}\n".encode()
                case Malformed(why):
                    return 400, _TEXT, f"{why}\n".encode()
                case UnknownLog():
                    return 404, _TEXT, b"this witness does not watch that log\n"
                case Unsigned(why):
                    return 403, _TEXT, f"{why}\n".encode()
                case _:
                    assert_never(judgement)

    def _keep(self, body: bytes, why: str, *, proof: bool) -> None:
        """What a log's key signed that does not continue its past: keep it, and say so."""
        kept = self._state.keep_evidence(parse_request(body).note, proof=proof)
        where = f"kept as {kept}" if kept else "not kept, for too many are already"
        _say(f"NOT COSIGNED: {why}. The checkpoint is {where}; ask the log's operator.")


_TEXT = "text/plain; charset=utf-8"


class Server(ThreadingHTTPServer):
    """A bounded number of connections, each with a deadline for the whole of a request: whoever
    drips a byte at a time holds a place no longer than anybody."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self.witness = witness
        self._free = threading.BoundedSemaphore(_MOST_THREADS)
        super().__init__(address, _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        self._free.acquire()
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up, or a full disk: one line, never a trace."""
        _say(f"a request was broken off ({type(sys.exception()).__name__})")


class _Reading(io.RawIOBase):
    """What a client sends, until the deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.until = float("inf")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS
    server: Server

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._reading = _Reading(self.connection)
        self.rfile = io.BufferedReader(self._reading)

    def handle_one_request(self) -> None:
        """The deadline counts from here, where the wait for the request begins."""
        self._reading.until = time.monotonic() + self.timeout
        super().handle_one_request()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or len(length) > 9:
            self._refuse(411, b"a Content-Length is needed\n")
        elif int(length) > MAX_BODY_BYTES:
            self._refuse(413, b"the body is too large\n")
        elif not self.path.endswith("/add-checkpoint"):
            self._refuse(404, b"POST /add-checkpoint is all there is\n")
        else:
            body = self.rfile.read(int(length))
            self._answer(*self.server.witness.add_checkpoint(body))

    def _refuse(self, status: int, sentence: bytes) -> None:
        """The body is not read, so the connection ends."""
        self.close_connection = True
        self._answer(status, _TEXT, sentence)

    def do_GET(self) -> None:
        self._answer(405, _TEXT, b"POST /add-checkpoint is all there is\n")

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: what a caller sends is not for the log."""


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
