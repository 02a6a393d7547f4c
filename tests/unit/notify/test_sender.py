"""The sender says truly what became of a post: not sent, unknown, or answered (P2)."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.notify.delivery import egress, lines
from services.notify.delivery.egress import AddrInfo
from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from services.notify.delivery.sender import HttpSender, Letter
from tests.support.receiver import (
    Behaviour,
    Receiver,
    Request,
    answer,
    answer_then_hang_up,
    drip,
    garbage,
    receiving,
    reset,
)

UNREACHABLE = NotSent(Obstacle.UNREACHABLE)
UNTRUSTED = NotSent(Obstacle.UNTRUSTED)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


@pytest.fixture
async def sender() -> AsyncIterator[HttpSender]:
    async with HttpSender(allow_http=True) as opened:
        yield opened


def _letter(url: str, deadline: float = 2.0, body: bytes = b"x") -> Letter:
    by = asyncio.get_running_loop().time() + deadline
    return Letter("agy", url, ("127.0.0.0/8",), {"webhook-id": "ntc"}, body, by)


@pytest.mark.parametrize("status", [200, 202, 204, 301, 400, 404, 410, 429, 500, 503, 599])
async def test_any_status_is_an_answer(receiver: Receiver, sender: HttpSender, status: int) -> None:
    receiver.behaviour = answer(status)
    assert await sender.post(_letter(receiver.url)) == Answered(status)


async def test_what_is_received_is_what_was_given(receiver: Receiver, sender: HttpSender) -> None:
    await sender.post(_letter(receiver.url, body=b"\x00body"))
    (request,) = receiver.requests
    assert request.body == b"\x00body"
    assert request.headers["webhook-id"] == "ntc"
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (reset, Unknown()),
        (garbage, Unknown()),
        (answer_then_hang_up, Answered(200)),
        (drip(b"HTTP/1.1 200 OK\r\n"), Unknown()),
        (drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n"), Answered(200)),
        (drip(b""), Unknown()),
    ],
    ids=["reset", "garbage", "lying", "dripping head", "dripping body", "dripping nonsense"],
)
async def test_after_the_request_only_a_status_makes_it_certain(
    receiver: Receiver, sender: HttpSender, behaviour: Behaviour, outcome: Outcome
) -> None:
    receiver.behaviour = behaviour
    assert await sender.post(_letter(receiver.url, deadline=0.3)) == outcome


@pytest.mark.parametrize("protocol", ["RTSP/1.0", "ICE/1.0", "HTTP/2.0", "HTTP/0.9"])
@pytest.mark.parametrize("cut", [0, 2, 9])
async def test_what_speaks_another_protocol_has_not_answered(
    receiver: Receiver, sender: HttpSender, protocol: str, cut: int
) -> None:
    receiver.behaviour = _in_two(f"{protocol} 200 OK\r\nContent-Length: 0\r\n\r\n".encode(), cut)
    assert await sender.post(_letter(receiver.url)) == Unknown()


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "\r\nHTTP/1.1"])
@pytest.mark.parametrize("cut", [0, 1, 2, 9])
async def test_an_answer_may_come_in_pieces(
    receiver: Receiver, sender: HttpSender, protocol: str, cut: int
) -> None:
    receiver.behaviour = _in_two(f"{protocol} 200 OK\r\nContent-Length: 0\r\n\r\n".encode(), cut)
    assert await sender.post(_letter(receiver.url)) == Answered(200)


def _in_two(said: bytes, cut: int) -> Behaviour:
    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(said[:cut])
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(said[cut:])
        await writer.drain()

    return behave


async def test_a_hanging_receiver_is_unknown_at_the_deadline(
    receiver: Receiver, sender: HttpSender
) -> None:
    receiver.behaviour = receiver.hang
    started = time.monotonic()
    assert await sender.post(_letter(receiver.url, deadline=0.2)) == Unknown()
    assert time.monotonic() - started < 1


async def test_a_closed_port_is_not_sent(sender: HttpSender) -> None:
    async with receiving() as gone:
        url = gone.url
    assert await sender.post(_letter(url)) == UNREACHABLE


async def test_a_reset_on_arrival_is_unknown_since_bytes_may_have_been_written(
    receiver: Receiver, sender: HttpSender
) -> None:
    receiver.before_reading = _hang_up
    assert await sender.post(_letter(receiver.url)) == Unknown()


async def test_a_name_that_does_not_resolve_in_time_is_not_sent(
    sender: HttpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> list[AddrInfo]:
        time.sleep(0.2)
        return []

    monkeypatch.setattr(egress, "_look_up", slow)
    assert await sender.post(_letter("http://police.example/", deadline=0.05)) == UNREACHABLE


async def test_a_deadline_in_the_past_sends_nothing(receiver: Receiver, sender: HttpSender) -> None:
    assert await sender.post(_letter(receiver.url, deadline=-1)) == UNREACHABLE
    assert receiver.requests == []


async def test_a_server_that_hung_up_on_a_kept_connection_is_unknown_and_not_resent(
    receiver: Receiver, sender: HttpSender
) -> None:
    """No silent second post by the client: a second attempt needs a record of its own."""
    receiver.script = [answer(200), reset]
    assert await sender.post(_letter(receiver.url)) == Answered(200)
    assert await sender.post(_letter(receiver.url)) == Unknown()
    assert len(receiver.requests) == 2
    assert receiver.connections == 1


async def test_connections_are_kept(receiver: Receiver, sender: HttpSender) -> None:
    receiver.behaviour = answer(200, body=b"thank you")
    for _ in range(5):
        assert await sender.post(_letter(receiver.url)) == Answered(200)
    assert receiver.connections == 1


async def test_of_an_agency_whose_record_changes_nothing_old_is_kept(
    receiver: Receiver, sender: HttpSender
) -> None:
    for path in ("a", "b", "a", "a"):
        assert await sender.post(_letter(f"{receiver.url}/{path}")) == Answered(200)
    assert receiver.connections == 3


async def test_a_connection_that_nobody_uses_is_closed(
    receiver: Receiver, sender: HttpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_KEPT_SECONDS", 0.01)
    assert await sender.post(_letter(receiver.url)) == Answered(200)
    await asyncio.sleep(0.05)
    assert await sender.post(_letter(receiver.url)) == Answered(200)
    assert receiver.connections == 2


@pytest.mark.parametrize("header", ["Connection: close", "Connection: Close, Upgrade"])
async def test_a_connection_that_its_server_gives_up_is_not_kept(
    receiver: Receiver, sender: HttpSender, header: str
) -> None:
    receiver.behaviour = answer(200, header)
    for _ in range(2):
        assert await sender.post(_letter(receiver.url)) == Answered(200)
    assert receiver.connections == 2


@pytest.mark.parametrize("after", [0.0, 0.02], ids=["in the same packet", "later"])
async def test_what_nobody_asked_for_answers_no_later_letter(
    receiver: Receiver, sender: HttpSender, after: float
) -> None:
    """A second answer to one letter, which would be read as the next one's."""

    async def twice(request: Request, writer: asyncio.StreamWriter) -> None:
        await answer(200)(request, writer)
        await asyncio.sleep(after)
        await answer(201)(request, writer)

    async def once(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 2)

    receiver.script = [twice if after else once]
    receiver.behaviour = answer(503)
    assert await sender.post(_letter(receiver.url)) == Answered(200)
    await asyncio.sleep(2 * after)
    assert await sender.post(_letter(receiver.url)) == Answered(503)
    assert receiver.connections == 2


@contextmanager
def _beside(serve: Callable[[int, socket.socket], None]) -> Iterator[str]:
    """The URL of a server in a thread of its own, which goes on while our event loop is busy."""
    connections: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                serve(len(connections), connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


@pytest.mark.parametrize("more", [b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", b""])
async def test_what_came_while_we_were_busy_ends_a_kept_connection(
    sender: HttpSender, more: bytes
) -> None:
    """An answer to nothing, or that the peer has hung up."""

    def serve(number: int, connection: socket.socket) -> None:
        connection.recv(65536)
        status = b"200 OK" if number == 1 else b"503 Busy"
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        time.sleep(0.05)
        if more:
            connection.sendall(more)
        else:
            connection.shutdown(socket.SHUT_WR)

    with _beside(serve) as url:
        assert await sender.post(_letter(url)) == Answered(200)
        time.sleep(0.2)  # noqa: ASYNC251 - our event loop is busy
        assert await sender.post(_letter(url)) == Answered(503)


async def test_a_connection_is_not_kept_before_a_letter_is_written_whole(
    sender: HttpSender,
) -> None:
    def serve(number: int, connection: socket.socket) -> None:
        connection.recv(1024)
        status = b"413 Too Large" if number == 1 else b"200 OK"
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    with _beside(serve) as url:
        assert await sender.post(_letter(url, body=bytes(30_000_000))) == Answered(413)
        assert await sender.post(_letter(url)) == Answered(200)


async def test_a_hint_is_no_answer_to_how_long_to_wait(
    receiver: Receiver, sender: HttpSender
) -> None:
    async def hints(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n")
        await answer(503)(request, writer)

    receiver.behaviour = hints
    assert await sender.post(_letter(receiver.url)) == Answered(503)


async def test_an_answer_that_is_still_to_come_is_waited_for(
    receiver: Receiver, sender: HttpSender
) -> None:
    async def first_hints(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n")
        await asyncio.sleep(0.02)
        await answer(202)(request, writer)

    receiver.behaviour = first_hints
    for _ in range(2):
        assert await sender.post(_letter(receiver.url)) == Answered(202)
    assert receiver.connections == 1


async def test_past_its_deadline_nothing_is_written_on_a_kept_connection(
    receiver: Receiver, sender: HttpSender
) -> None:
    assert await sender.post(_letter(receiver.url)) == Answered(200)
    assert await sender.post(_letter(receiver.url, deadline=0)) == UNREACHABLE
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("value", ["a\r\nHost: other", "a\nb", "a\x00"])
async def test_a_header_that_would_end_its_line_is_not_sent(
    receiver: Receiver, sender: HttpSender, value: str
) -> None:
    letter = replace(_letter(receiver.url), headers={"webhook-id": value})
    assert await sender.post(letter) == UNREACHABLE
    assert receiver.requests == []


async def test_the_place_that_is_asked_for_is_the_urls(
    receiver: Receiver, sender: HttpSender
) -> None:
    url = receiver.url.replace("/hook", "/a/%7Eb/<c>?d=e&f#g")
    assert await sender.post(_letter(url)) == Answered(200)
    (request,) = receiver.requests
    assert request.path == "/a/%7Eb/%3Cc%3E?d=e&f"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_a_name_is_looked_up_once_for_all_who_wait(
    receiver: Receiver, sender: HttpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many letters wait for a name that hangs, it holds up one thread."""
    asked = []

    def slow(host: str, port: int, family: int) -> list[AddrInfo]:
        asked.append(host)
        time.sleep(0.05)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(egress, "_look_up", slow)
    url = f"http://police.example:{receiver.port}/"
    posts = [sender.post(_letter(url)) for _ in range(5)]
    assert await asyncio.gather(*posts) == [Answered(200)] * 5
    assert asked == ["police.example"]


async def test_a_name_that_was_not_found_is_looked_up_again(
    receiver: Receiver, sender: HttpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[list[AddrInfo]] = [[], [(2, 1, 6, "", ("127.0.0.1", receiver.port))]]

    def look_up(*_: object) -> list[AddrInfo]:
        if not (addresses := found.pop(0)):
            raise OSError
        return addresses

    monkeypatch.setattr(egress, "_look_up", look_up)
    url = f"http://police.example:{receiver.port}/"
    assert await sender.post(_letter(url)) == UNREACHABLE
    await asyncio.sleep(0.01)
    assert await sender.post(_letter(url)) == Answered(200)


async def test_an_endless_answer_is_cut_off(receiver: Receiver, sender: HttpSender) -> None:
    sent = 0

    async def flood(_: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    receiver.behaviour = flood
    assert await sender.post(_letter(receiver.url)) == Answered(200)
    assert sent < 32 * 1024 * 1024


async def test_an_answer_that_never_ends_is_not_waited_for(
    receiver: Receiver, sender: HttpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_LONGEST_READING", 0.05)
    receiver.behaviour = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    started = time.monotonic()
    assert await sender.post(_letter(receiver.url)) == Answered(200)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 10, 1e9),
        ("9" * 4000, 1e9),
        ("1e9", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 " + "9" * 30, None),
        ("Fri, 31 Dec 2026 25:61:61 GMT", None),
    ],
)
async def test_retry_after_in_seconds(
    receiver: Receiver, sender: HttpSender, value: str, seconds: float | None
) -> None:
    receiver.behaviour = answer(503, f"Retry-After: {value}")
    assert await sender.post(_letter(receiver.url)) == Answered(503, seconds)


async def test_retry_after_as_a_date(receiver: Receiver, sender: HttpSender) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    receiver.behaviour = answer(429, f"Retry-After: {at}")
    outcome = await sender.post(_letter(receiver.url))
    assert isinstance(outcome, Answered)
    assert outcome.retry_after is not None
    assert 85 < outcome.retry_after <= 90


async def test_breaking_off_ends_every_post_with_its_true_outcome(
    receiver: Receiver, sender: HttpSender
) -> None:
    receiver.behaviour = receiver.hang
    posts = [asyncio.create_task(sender.post(_letter(receiver.url, 10))) for _ in range(3)]
    while len(receiver.requests) < 3:
        await asyncio.sleep(0.005)
    sender.break_off()
    assert await asyncio.gather(*posts) == [Unknown()] * 3


def _certificate(directory: Path, names: Sequence[str]) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Agency")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    (directory / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "ca.pem", directory / "key.pem")
    return context


@pytest.mark.parametrize(
    ("trusted", "names", "outcome"),
    [
        (True, ["localhost"], Answered(200)),
        (False, ["localhost"], UNTRUSTED),
        (True, ["other.example"], UNTRUSTED),
    ],
    ids=["good", "unknown authority", "another's name"],
)
async def test_tls_that_fails_is_not_sent(
    tmp_path: Path, trusted: bool, names: list[str], outcome: Outcome
) -> None:
    context = _certificate(tmp_path, names)
    tls = ssl.create_default_context(cafile=tmp_path / "ca.pem") if trusted else None
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with HttpSender(tls=tls) as sender:
        assert await sender.post(_letter(f"https://localhost:{port}/")) == outcome
    assert len(receiver.requests) == (1 if outcome == Answered(200) else 0)
    server.close()
    await asyncio.sleep(0)


def _loopbacks() -> list[AddrInfo]:
    """Another of our own addresses, in each family that this machine has."""
    found: list[AddrInfo] = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    with suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        found.append((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)))
    return found


@pytest.mark.parametrize("first", _loopbacks(), ids=lambda each: each[4][0])
async def test_where_tls_fails_at_one_address_the_next_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: AddrInfo
) -> None:
    context = _certificate(tmp_path, ["police.example"])
    receiver, clear = Receiver(), Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.2", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    host, _, *scope = first[4]
    other = await asyncio.start_server(clear.serve, host, port)
    addresses = [
        (*first[:4], (host, port, *scope)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", port)),
    ]
    monkeypatch.setattr(egress, "_look_up", lambda *_: addresses)
    clear.before_reading = _hang_up
    tls = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    async with HttpSender(tls=tls) as sender:
        letter = _letter(f"https://police.example:{port}/")
        letter = replace(letter, allowed_networks=("127.0.0.0/8", "::1/128"))
        assert await sender.post(letter) == Answered(200)
    assert (len(clear.requests), len(receiver.requests)) == (0, 1)
    server.close()
    other.close()
    await asyncio.sleep(0)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def test_clear_http_is_refused_outside_development(receiver: Receiver) -> None:
    async with HttpSender() as sender:
        assert await sender.post(_letter(receiver.url)) == NotSent(Obstacle.EGRESS_REFUSED)
    assert receiver.connections == 0
