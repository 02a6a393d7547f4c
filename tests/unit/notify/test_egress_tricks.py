"""Egress against what a hostile record, name server or peer may try, as tables."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from itertools import chain, repeat

import pytest
from pydantic import ValidationError

from services.notify.delivery import egress, endpoint
from services.notify.delivery.egress import AddrInfo, guarded_sockets
from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from services.notify.delivery.sender import HttpSender, Letter
from services.notify.directory.endpoints import EgressRefused, check_endpoint
from services.notify.directory.entries import NewEntry
from services.notify.enrolment.schemas import SubmissionIn
from tests.support.planning import JWK
from tests.support.receiver import Behaviour, Receiver, Request, answer, receiving

LOOPBACK = ("127.0.0.0/8",)
EVERYTHING = ("0.0.0.0/0", "::/0")
REFUSED = NotSent(Obstacle.EGRESS_REFUSED)
UNREACHABLE = NotSent(Obstacle.UNREACHABLE)


def _info(host: str, port: int = 443) -> AddrInfo:
    if ":" in host:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (host, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("168.63.129.16", "a cloud's own service, on a public address"),
        ("100.100.100.200", "metadata in shared address space"),
        ("192.0.0.192", "metadata in protocol assignments"),
        ("::ffff:0:127.0.0.1", "translated IPv4 (SIIT)"),
        ("::1.1.1.1", "IPv4-compatible, long withdrawn"),
        ("2002:101:101::1", "6to4, even of a public address"),
        ("2001:0:101:101::1", "Teredo"),
        ("64:ff9b::10.0.0.1", "NAT64 of a private address"),
        ("64:ff9b::168.63.129.16", "NAT64 of a cloud's own service"),
        ("64:ff9b:1:a00::1", "local NAT64"),
        ("fd20:ce::254", "metadata in unique local space"),
        ("ff0e::1", "multicast, global in scope"),
        ("::ffff:224.0.0.1", "multicast in disguise"),
    ],
)
def test_addresses_that_pass_for_public(address: str, what: str) -> None:
    with pytest.raises(EgressRefused):
        guarded_sockets(())(_info(address))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::1",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "::",
        "255.255.255.255",
    ],
)
def test_no_list_of_networks_opens_metadata_multicast_or_link_local(address: str) -> None:
    """Two people may approve `0.0.0.0/0` on a tired evening."""
    with pytest.raises(EgressRefused):
        guarded_sockets(EVERYTHING)(_info(address))


DECEITFUL = (
    "https://police.example@evil.example/",
    "https://police.example%40evil.example/",
    "https://police.example\\@evil.example/",
    "https://police.example\t/hook",
    "https://police.exa\nmple/hook",
    " https://police.example/hook",
    "https://police.example /hook",
    "https://police.example/ho\x00ok",
    "https://p\u043elice.example/hook",
    "https://police.example\u3002evil.example/hook",
    "https://\u2460\u2461\u2466.0.0.1/hook",
    "https://\uff11\uff12\uff17.0.0.1/hook",
    "https://police\u00ad.example/hook",
    "https://2130706433/hook",
    "https://0x7f000001/hook",
    "https://0x7f.1/hook",
    "https://017700000001/hook",
    "https://0177.0.0.1/hook",
    "https://127.1/hook",
    "https://127.0.0.1./hook",
    "https://1.2.3.4.5/hook",
    "https://police.example.256/hook",
    "https://[fe80::1%25eth0]/hook",
    "https://police.example:0/hook",
    "https://police.example:443:80/hook",
    "https://police.example:+443/hook",
    "https://police..example/hook",
    "https://.example/hook",
    "https://-police.example/hook",
    "https://" + "a" * 64 + ".example/hook",
    "https://" + "a." * 127 + "example/hook",
    "https://police_.example,evil.example/hook",
    "HTTP://police.example/hook",
    "https:police.example/hook",
    "https:/police.example/hook",
    "javascript:alert(1)",
    "gopher://police.example/",
    "unix:///var/run/docker.sock",
)


@pytest.mark.parametrize("url", DECEITFUL)
def test_urls_that_read_otherwise_than_they_lead(url: str) -> None:
    with pytest.raises(EgressRefused):
        check_endpoint(url, allow_http=False)


@pytest.mark.parametrize("url", [each for each in DECEITFUL if not each.startswith("HTTP:")])
def test_none_of_them_gets_into_the_directory_or_is_said_again(url: str) -> None:
    """Two people would approve what neither can see; and an error never echoes (P5)."""
    known = {"agency_id": f"agy_{0:032x}", "kind": "fbi", "name": "Example", "endpoint": url}
    with pytest.raises(ValidationError) as refused:
        NewEntry.model_validate(known)
    (error,) = refused.value.errors(include_input=False, include_context=False)
    assert error["loc"] == ("endpoint",)
    assert url not in error["msg"]
    with pytest.raises(ValidationError):
        SubmissionIn.model_validate({"code": "A", "endpoint": url, "encryption_key": JWK})


@pytest.mark.parametrize(
    "url",
    [
        "https://police.example/hook?desk=1",
        "https://POLICE.example./hook",
        "https://xn--plice-mye.example/hook",
        "https://a1.b-2.example:8443/",
        "https://192.0.43.8/hook",
        "https://[2606:4700::1]:8443/hook",
        "https://under_score.example/hook",
    ],
)
def test_urls_that_are_as_they_read(url: str) -> None:
    check_endpoint(url, allow_http=False)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


@pytest.fixture
async def posting() -> AsyncIterator[HttpSender]:
    async with HttpSender(allow_http=True) as opened:
        yield opened


async def _post(
    posting: HttpSender, url: str, networks: tuple[str, ...] = LOOPBACK, deadline: float = 2.0
) -> Outcome:
    by = asyncio.get_running_loop().time() + deadline
    return await posting.post(Letter("agy", url, networks, {}, b"x", by))


async def test_a_name_that_leads_elsewhere_the_second_time_is_refused_then(
    posting: HttpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: allowed at first, then the loopback address itself."""
    monkeypatch.setattr(endpoint, "_NAMES_KEPT_SECONDS", 0)
    answers: Iterator[str] = chain(["127.0.0.2"], repeat("127.0.0.1"))
    monkeypatch.setattr(egress, "_look_up", lambda _, port, *__: [_info(next(answers), port)])
    town = Receiver(behaviour=answer(200, "Connection: close"))
    server = await asyncio.start_server(town.serve, "127.0.0.2", 0)
    port = server.sockets[0].getsockname()[1]
    inside = await asyncio.start_server(town.serve, "127.0.0.1", port)
    url = f"http://police.example:{port}/hook"
    assert await _post(posting, url, ("127.0.0.2/32",)) == Answered(200)
    assert await _post(posting, url, ("127.0.0.2/32",)) == REFUSED
    assert town.connections == 1
    server.close()
    inside.close()
    await asyncio.sleep(0.02)


@pytest.mark.parametrize("addresses", [["127.0.0.1", "127.0.0.2"], ["127.0.0.3", "127.0.0.1"]])
async def test_one_forbidden_address_among_several_gets_nothing(
    posting: HttpSender,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    addresses: list[str],
) -> None:
    """127.0.0.2 and .3 are listed; nobody listens there."""
    monkeypatch.setattr(
        egress, "_look_up", lambda _, port, *__: [_info(each, port) for each in addresses]
    )
    url = f"http://police.example:{receiver.port}/hook"
    outcome = await _post(posting, url, ("127.0.0.2/32", "127.0.0.3/32"))
    assert outcome == REFUSED
    assert receiver.connections == 0


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
async def test_no_redirect_is_followed(
    posting: HttpSender, receiver: Receiver, status: int
) -> None:
    async with receiving() as other:
        receiver.behaviour = answer(status, f"Location: {other.url}", f"Refresh: 0;{other.url}")
        assert await _post(posting, receiver.url) == Answered(status)
        assert (other.connections, len(receiver.requests)) == (0, 1)


async def test_no_cookie_comes_back_and_no_other_service_is_taken(
    posting: HttpSender, receiver: Receiver
) -> None:
    async with receiving() as other:
        receiver.behaviour = answer(
            200, "Set-Cookie: who=me; Path=/", f'Alt-Svc: h2=":{other.port}"; ma=99'
        )
        for _ in range(2):
            assert await _post(posting, receiver.url) == Answered(200)
        assert all("cookie" not in each.headers for each in receiver.requests)
        assert other.connections == 0


def _says(text: bytes, *, close: bool = True) -> Behaviour:
    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()
        if close:
            writer.close()

    return behave


async def _early_hints_for_ever(_: Request, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _half_closes(_: Request, writer: asyncio.StreamWriter) -> None:
    """Says that it will say nothing, and goes on listening."""
    writer.write_eof()
    await asyncio.sleep(1)


async def _200_then_reset(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (_half_closes, Unknown()),
        (_200_then_reset, Answered(200)),
        (_early_hints_for_ever, Unknown()),
        (_says(b"HTTP/1.1 200"), Unknown()),
        (_says(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000_000 + b"\r\n\r\n"), Unknown()),
        (_says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000 + b"\r\n"), Unknown()),
        (_says(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), Unknown()),
        (_says(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), Answered(999)),
        (_says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), Answered(101)),
        (
            _says(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
                b"5\r\nnogzp\r\n0\r\n\r\n"
            ),
            Answered(200),
        ),
        (
            # Whatever comes after a status, be it in the same packet, the status has come.
            _says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n"),
            Answered(200),
        ),
        (_says(b"HTTP/0.9 200 OK\r\n\r\n"), Unknown()),
    ],
    ids=[
        "half-closed",
        "200 then reset",
        "hints for ever",
        "half a line",
        "a long header",
        "many headers",
        "a negative length",
        "an odd status",
        "another protocol",
        "no gzip",
        "no chunk",
        "an old version",
    ],
)
async def test_peers_that_lie_or_dawdle_are_recorded_as_what_is_known(
    posting: HttpSender, receiver: Receiver, behaviour: Behaviour, outcome: Outcome
) -> None:
    receiver.behaviour = behaviour
    started = asyncio.get_running_loop().time()
    assert await _post(posting, receiver.url, deadline=0.5) == outcome
    assert asyncio.get_running_loop().time() - started < 1.5
    assert len(receiver.requests) == 1


async def test_a_peer_that_answers_before_it_listens_has_answered(
    posting: HttpSender, receiver: Receiver
) -> None:
    async def eager(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    receiver.before_reading = eager
    assert await _post(posting, receiver.url) in (Answered(200), Unknown())


async def test_a_peer_that_takes_the_connection_and_no_handshake_is_not_sent(
    posting: HttpSender,
) -> None:
    over = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await _post(posting, f"https://127.0.0.1:{port}/", deadline=0.3) == UNREACHABLE
    over.set()
    server.close()
    await asyncio.sleep(0.02)


@pytest.mark.parametrize("after", ["the connection", "the hello"])
async def test_a_reset_before_a_byte_of_http_is_not_sent(posting: HttpSender, after: str) -> None:
    """P2: what was written by then is TLS, and says nothing of anybody."""
    arrived = 0

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        if after == "the hello":
            arrived += len(await reader.read(64))
        writer.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await _post(posting, f"https://127.0.0.1:{port}/") == UNREACHABLE
    assert (arrived > 0) is (after == "the hello")
    server.close()
    await asyncio.sleep(0.02)


async def test_a_handshake_that_drips_ends_at_the_deadline_and_is_not_sent(
    posting: HttpSender,
) -> None:
    """Each byte would renew a timeout per read; there is none but the whole's."""

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x16\x03\x03\x40\x00")
        while not writer.is_closing():
            writer.write(b"\x02")
            await asyncio.sleep(0.02)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    started = asyncio.get_running_loop().time()
    assert await _post(posting, f"https://127.0.0.1:{port}/", deadline=0.3) == UNREACHABLE
    assert asyncio.get_running_loop().time() - started < 1
    server.close()
    await asyncio.sleep(0.05)
