"""Both ends of the load programs' HTTP: what is counted, and which moment is taken for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.machine.home import Ports
from tests.load import openloop
from tests.load.hanging import Hanging
from tests.load.openloop import Answer
from tests.load.receiver import Receiver, listening
from tests.load.wire import Lines, Request, Respond, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def notice(notice_id: str, agency_id: str = "fbi", *more: str) -> bytes:
    lines = [f"POST /agency/{agency_id} HTTP/1.1", f"Webhook-Id: {notice_id}", *more]
    return "\r\n".join([*lines, "Content-Length: 6", "", "sealed"]).encode()


@pytest.fixture
def port() -> int:
    return Ports.free().agencies


@pytest.fixture
async def lines(port: int) -> AsyncIterator[Lines]:
    lines = Lines(port)
    yield lines
    lines.close()


async def turns() -> None:
    """Whatever has been sent over loopback is read."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_notice_came_when_its_first_byte_came_and_is_answered_when_it_is_whole(
    port: int,
) -> None:
    receiver, whole = Receiver(), notice("n1")
    async with listening(receiver, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.time()
        writer.write(whole[:9])
        await turns()
        first = time.time()
        writer.write(whole[9:-1])
        await turns()
        assert (receiver.notices(), receiver.first_bytes) == (0, {})
        writer.write(whole[-1:])
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()
    assert began <= receiver.first_bytes["n1"] <= first
    ((agency_id, request),) = receiver.kept
    assert (agency_id, request.body) == ("fbi", b"sealed")
    assert request.headers[b"webhook-id"] == b"n1"


async def test_a_notice_that_comes_twice_is_counted_twice_and_timed_by_the_first(
    port: int, lines: Lines
) -> None:
    receiver = Receiver()
    async with listening(receiver, port):
        await lines.ask(notice("n1"))
        first = receiver.first_bytes["n1"]
        await lines.ask(notice("n1"))
        await lines.ask(notice("n2", "police"))
    assert receiver.taken == {"fbi": {"n1": 2}, "police": {"n2": 1}}
    assert (receiver.notices(), receiver.notices(but="fbi")) == (2, 1)
    assert receiver.first_bytes["n1"] == first


async def test_whether_the_partners_are_ready_is_no_notice(port: int, lines: Lines) -> None:
    receiver = Receiver()
    async with listening(receiver, port):
        answer = await lines.ask(b"GET /readyz HTTP/1.1\r\n\r\n")
    assert (answer.status, receiver.notices(), receiver.first_bytes) == (200, 0, {})


async def test_only_the_partner_that_hangs_does_not_answer_until_it_does_again(
    port: int, lines: Lines
) -> None:
    receiver = Hanging()
    async with listening(receiver, port):
        receiver.hang("fbi")
        waiting = asyncio.create_task(lines.ask(notice("n1")))
        assert (await lines.ask(notice("n2", "police"))).status == 200
        await turns()
        assert not waiting.done()
        receiver.answer_again()
        assert (await waiting).status == 503
        assert receiver.taken == {"police": {"n2": 1}}
        assert (await lines.ask(notice("n1"))).status == 200


async def test_a_caller_who_has_hung_up_gets_no_answer(port: int, lines: Lines) -> None:
    receiver = Hanging()
    async with listening(receiver, port):
        receiver.hang("fbi")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(notice("n1"))
        await turns()
        writer.close()
        await turns()
        receiver.answer_again()
        assert (await lines.ask(notice("n2"))).status == 200


async def test_partners_that_are_gone_refuse_and_close_what_is_open(
    port: int, lines: Lines
) -> None:
    async with listening(Receiver(), port):
        await lines.ask(notice("n1"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await turns()
    assert await reader.read() == b""
    writer.close()
    with pytest.raises((ConnectionRefusedError, ConnectionResetError)):
        await lines.ask(notice("n2"))


class Connections:
    """Answers each request with the next of `answers`, and knows who asked."""

    def __init__(self, answers: Iterator[bytes]) -> None:
        self._answers = answers
        self.asked: list[Respond] = []

    def take(self, request: Request, respond: Respond) -> None:
        self.asked.append(respond)
        respond(next(self._answers))


async def test_a_free_connection_is_used_again_and_one_that_ends_is_not(
    port: int, lines: Lines
) -> None:
    seen = Connections(iter((OK, LAST, OK)))
    async with serving(seen.take, port):
        answers = [await lines.ask(notice("n")) for _ in range(3)]
    one, two, three = seen.asked
    assert one == two != three
    assert [each.body for each in answers] == [b"ok", b"", b"ok"]


async def test_a_connection_that_ends_without_an_answer_is_no_answer(port: int) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def send(_: int) -> Answer:
        answer = await Lines(port).ask(notice("n"))
        return Answer(answer.at, answer.status, "HL-1")

    async with await asyncio.start_server(hang_up, "127.0.0.1", port):
        sent = await openloop.one(send, 7, intended=1.0)
    assert (sent.number, sent.status, sent.reference) == (7, 0, "")


async def test_requests_leave_when_they_are_due_though_none_has_come_back() -> None:
    left: list[float] = []
    all_left = asyncio.Event()

    async def send(number: int) -> Answer:
        left.append(time.time())
        if len(left) == 5:
            all_left.set()
        await all_left.wait()
        return Answer(0.0, 201, f"HL-{number}")

    sent = await openloop.run(send, rate=500, seconds=0.01, first=3)
    assert [each.reference for each in sent] == ["HL-3", "HL-4", "HL-5", "HL-6", "HL-7"]
    assert all(at >= each.intended_at for at, each in zip(left, sent, strict=True))
    assert {each.answered_at for each in sent} == {0.0}
