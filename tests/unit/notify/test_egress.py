"""Egress: a table of tricks, each refused at the socket or before it."""

import asyncio
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.delivery import egress
from services.notify.delivery.egress import AddrInfo, guarded_sockets
from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome
from services.notify.delivery.sender import HttpSender, Letter
from services.notify.directory.endpoints import EgressRefused, check_endpoint
from tests.support.receiver import Receiver, answer, receiving

LOOPBACK = ("127.0.0.0/8",)


def _info(host: str) -> AddrInfo:
    if ":" in host:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (host, 443, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 443))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "5f00::1",
    ],
)
def test_no_socket_for_an_address_that_is_not_public(address: str) -> None:
    with pytest.raises(EgressRefused):
        guarded_sockets(())(_info(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "172.32.0.1",
        "2606:4700:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
    ],
)
def test_a_socket_for_a_public_address(address: str) -> None:
    guarded_sockets(())(_info(address)).close()


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        (("10.1.0.0/16",), "10.1.2.3", True),
        (("10.1.0.0/16",), "::ffff:10.1.2.3", True),
        (("10.1.0.0/16",), "10.2.0.1", False),
        (("10.1.0.0/16",), "127.0.0.1", False),
        (("fd12:3456::/32",), "fd12:3456::1", True),
        (("fd12:3456::/32",), "fd12:9999::1", False),
        (("192.168.7.9/24",), "192.168.7.1", True),
    ],
)
def test_private_ranges_only_where_the_record_lists_them(
    networks: Sequence[str], address: str, allowed: bool
) -> None:
    make = guarded_sockets(networks)
    if allowed:
        make(_info(address)).close()
    else:
        with pytest.raises(EgressRefused):
            make(_info(address))


@given(st.ip_addresses(v=4))
def test_a_disguise_changes_no_verdict(address: object) -> None:
    """IPv4, IPv4-mapped and NAT64 forms of one address are allowed or refused alike."""

    def refused(host: str) -> bool:
        try:
            guarded_sockets(())(_info(host)).close()
        except EgressRefused:
            return True
        return False

    plain = refused(str(address))
    assert refused(f"::ffff:{address}") is plain
    assert refused(f"64:ff9b::{address}") is plain


@pytest.mark.parametrize(
    ("url", "allow_http"),
    [
        ("https://police.example/hook", False),
        ("https://police.example:443/hook", False),
        ("https://police.example:8443/hook", False),
        ("http://police.example/hook", True),
        ("http://127.0.0.1:8105/hook", True),
        ("https://[2606:4700:4700::1111]/hook", False),
    ],
)
def test_endpoints_that_may_be_sent_to(url: str, allow_http: bool) -> None:
    check_endpoint(url, allow_http=allow_http)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "police.example/hook",
        "//police.example/hook",
        "http://police.example/hook",
        "ftp://police.example/hook",
        "file:///etc/passwd",
        "https:///hook",
        "https://user@police.example/hook",
        "https://user:secret@police.example/hook",
        "https://:@police.example/hook",
        "https://police.example:22/hook",
        "https://police.example:80/hook",
        "https://police.example:99999/hook",
        "https://police.example:port/hook",
        "https://[::1/hook",
    ],
)
def test_endpoints_that_may_not(url: str) -> None:
    with pytest.raises(EgressRefused):
        check_endpoint(url, allow_http=False)


async def _post(url: str, networks: tuple[str, ...] = (), deadline: float = 2.0) -> Outcome:
    async with HttpSender(allow_http=True) as sender:
        loop = asyncio.get_running_loop()
        letter = Letter("agy", url, networks, {}, b"x", loop.time() + deadline)
        return await sender.post(letter)


@pytest.fixture
async def receiver() -> object:
    async with receiving() as started:
        yield started


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%31%32%37.0.0.1",
    ],
)
async def test_no_spelling_of_loopback_gets_a_byte(receiver: Receiver, host: str) -> None:
    outcome = await _post(f"http://{host}:{receiver.port}/hook")
    assert isinstance(outcome, NotSent)
    assert receiver.connections == 0


async def test_a_refused_address_is_named_as_the_obstacle(receiver: Receiver) -> None:
    assert await _post(receiver.url) == NotSent(Obstacle.EGRESS_REFUSED)
    name = f"http://localhost:{receiver.port}/hook"
    assert await _post(name) == NotSent(Obstacle.EGRESS_REFUSED)


async def test_a_name_that_changes_its_address_is_refused_at_the_socket(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: whatever the name said a moment ago, the socket sees where it leads now."""
    monkeypatch.setattr(egress, "_look_up", lambda *_: [_info("127.0.0.1")])
    outcome = await _post(f"http://police.example:{receiver.port}/hook")
    assert outcome == NotSent(Obstacle.EGRESS_REFUSED)
    assert receiver.connections == 0


async def test_redirects_are_answers_and_are_not_followed(receiver: Receiver) -> None:
    async with receiving() as other:
        receiver.behaviour = answer(307, f"Location: {other.url}")
        assert await _post(receiver.url, LOOPBACK) == Answered(307)
        assert other.connections == 0


async def test_no_proxy_of_the_environment_is_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert await _post(receiver.url, LOOPBACK) == Answered(200)
        assert proxy.connections == 0


async def test_a_pool_is_never_shared_with_an_agency_that_may_not_go_there(
    receiver: Receiver,
) -> None:
    async with HttpSender(allow_http=True) as sender:
        deadline = asyncio.get_running_loop().time() + 2
        allowed = Letter("agy_one", receiver.url, LOOPBACK, {}, b"x", deadline)
        forbidden = Letter("agy_two", receiver.url, (), {}, b"x", deadline)
        assert await sender.post(allowed) == Answered(200)
        assert await sender.post(forbidden) == NotSent(Obstacle.EGRESS_REFUSED)
        assert len(receiver.requests) == 1
