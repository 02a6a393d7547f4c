"""The Kafka bus against an aiokafka that misbehaves on demand, as the real one does at times."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaConnectionError,
    MessageSizeTooLargeError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.structs import ConsumerRecord, TopicPartition

from shared.contracts.base import Topic
from shared.messaging.bus import BusUnavailable, Outgoing
from shared.messaging.kafka.calls import Limits, bounded
from shared.messaging.kafka.clients import Clients
from shared.messaging.kafka.membership import Membership
from shared.messaging.kafka.partitions import partition_of
from shared.messaging.kafka.publisher import KafkaPublisher, prefix_per_key
from shared.messaging.kafka.subscription import KafkaSubscription

SOON = 0.03
LIMITS = Limits(
    request=SOON, publish=SOON, commit=SOON, stop=SOON, quiet=0.0, probe=SOON, join=SOON
)
HOME = TopicPartition("referrals", 0)
Call = Callable[..., Coroutine[Any, Any, Any]]


class FakeConnections:
    """With a leader of every partition that answers a fetch with `error`, and no bytes."""

    def __init__(self) -> None:
        self._get_conn_lock = asyncio.Lock()
        self.closed = False
        self.cluster = self
        self.error = 0
        self.log_end = 0

    def leader_for_partition(self, _: TopicPartition) -> int:
        return 1

    async def send(self, node: int, _: object) -> Any:
        partition = (0, self.error, self.log_end, 0, 0, None, b"")
        return SimpleNamespace(topics=[("referrals", [partition])])

    async def close(self) -> None:
        self.closed = True


class FakeConsumer:
    """Owns one partition, and does to each call what a test says."""

    def __init__(self, **calls: Call) -> None:
        self.committed_offsets: list[dict[TopicPartition, int]] = []
        self._client = FakeConnections()
        self._calls = calls
        self.found: list[dict[TopicPartition, list[Any]]] = []
        self.sought: dict[TopicPartition, int] = {}
        self.at_rest: set[TopicPartition] = set()

    async def _do(self, name: str, default: Any) -> Any:
        return await self._calls[name]() if name in self._calls else default

    async def getmany(self, timeout_ms: int, max_records: int) -> Any:
        return await self._do("getmany", self.found.pop(0) if self.found else {})

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed_offsets.append(offsets)
        await self._do("commit", None)

    async def committed(self, partition: TopicPartition) -> int:
        return int(await self._do("committed", 0))

    async def end_offsets(self, partitions: Any) -> Any:
        return await self._do("end_offsets", dict.fromkeys(partitions, 0))

    async def position(self, partition: TopicPartition) -> int:
        return int(await self._do("position", 0))

    def assignment(self) -> set[TopicPartition]:
        return {HOME}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought[partition] = offset

    def pause(self, *partitions: TopicPartition) -> None:
        self.at_rest |= set(partitions)

    def paused(self) -> set[TopicPartition]:
        return self.at_rest

    async def stop(self) -> None:
        await self._do("stop", None)


def raising(error: BaseException) -> Call:
    async def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


async def hanging(*_: Any, **__: Any) -> Any:
    await asyncio.Event().wait()


def subscription(
    consumer: FakeConsumer, *, joined: bool = True, limits: Limits = LIMITS
) -> KafkaSubscription:
    membership = Membership()
    if joined:
        membership.on_partitions_assigned([HOME])
    return KafkaSubscription(consumer, membership, (Topic.REFERRALS,), Clients(limits), limits)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


async def test_a_call_that_hangs_is_given_up() -> None:
    began = time.monotonic()
    with pytest.raises(BusUnavailable, match="timeout"):
        await bounded(hanging(), SOON)
    assert time.monotonic() - began < 10 * SOON


async def test_a_cancelled_error_of_aiokafkas_own_does_not_cancel_us() -> None:
    with pytest.raises(BusUnavailable, match="cancelled"):
        await bounded(raising(asyncio.CancelledError())(), SOON)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_our_own_cancellation_goes_through_and_cancels_the_call() -> None:
    cancelled = asyncio.Event()

    async def call() -> None:
        try:
            await hanging()
        finally:
            cancelled.set()

    task = asyncio.create_task(bounded(call(), 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cancelled.wait(), 1)


@pytest.mark.parametrize(
    "failure",
    [
        IllegalStateError("revoked meanwhile"),
        asyncio.CancelledError(),
        KafkaConnectionError(),
        caused(CommitFailedError("rebalancing"), RebalanceInProgressError()),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_commit_that_fails_is_contained_and_reading_goes_on(failure: BaseException) -> None:
    consumer = FakeConsumer(commit=raising(failure))
    reading = subscription(consumer)
    await reading.commit({("referrals", 0): 7})
    assert consumer.committed_offsets == [{HOME: 7}]
    if isinstance(failure, asyncio.CancelledError):
        with pytest.raises(BusUnavailable):
            await reading.fetch(10, 0.0)
    else:
        assert not (await reading.fetch(10, 0.0)).records


@pytest.mark.parametrize(
    "commit",
    [hanging, raising(caused(CommitFailedError("fenced"), UnknownMemberIdError()))],
    ids=["stuck", "fenced"],
)
async def test_a_client_that_is_stuck_or_fenced_is_not_used_again(commit: Call) -> None:
    reading = subscription(FakeConsumer(commit=commit))
    await reading.commit({("referrals", 0): 7})
    with pytest.raises(BusUnavailable, match="commit"):
        await reading.fetch(10, 0.0)


async def test_only_partitions_that_are_ours_are_committed() -> None:
    consumer = FakeConsumer()
    reading = subscription(consumer)
    await reading.commit({("referrals", 0): 7, ("referrals", 1): 9, ("notices", 0): 3})
    await reading.commit({("referrals", 5): 1})
    assert consumer.committed_offsets == [{HOME: 7}]


@pytest.mark.parametrize(
    "dead",
    [
        {"committed": hanging},
        {"committed": raising(KafkaConnectionError())},
        {"end_offsets": hanging},
        {"position": hanging},
    ],
    ids=["coordinator hangs", "coordinator gone", "leader hangs", "no position"],
)
async def test_silence_is_asked_about_and_a_broker_that_is_gone_is_found_out(
    dead: dict[str, Call],
) -> None:
    """aiokafka's getmany() returns {} for ever then."""
    with pytest.raises(BusUnavailable):
        await subscription(FakeConsumer(**dead)).fetch(10, 0.0)


async def test_silence_while_the_broker_answers_is_silence() -> None:
    reading = subscription(FakeConsumer())
    for _ in range(3):
        assert not (await reading.fetch(10, 0.0)).records


async def test_records_that_are_there_and_do_not_come_cost_the_client() -> None:
    async def behind() -> dict[TopicPartition, int]:
        return {HOME: 5}

    reading = subscription(FakeConsumer(end_offsets=behind))
    assert not (await reading.fetch(10, 0.0)).records
    with pytest.raises(BusUnavailable, match="do not come"):
        await reading.fetch(10, 0.0)


async def test_a_partition_that_its_broker_cannot_read_is_reported_and_left_alone() -> None:
    """aiokafka says nothing of it, and asks again for ever."""

    async def behind() -> dict[TopicPartition, int]:
        return {HOME: 5}

    consumer = FakeConsumer(end_offsets=behind)
    consumer._client.error = 56
    reading = subscription(consumer, limits=replace(LIMITS, blocked=0.2))
    assert not (await reading.fetch(10, 0.0)).records
    batch = await reading.fetch(10, 0.0)
    assert [(each.offset, each.damage) for each in batch.records] == [(0, "KafkaStorageError")]
    assert not batch.next_offsets
    assert consumer.at_rest == {HOME}
    for _ in range(4):
        assert not (await reading.fetch(10, 0.0)).records
    await asyncio.sleep(0.25)
    with pytest.raises(BusUnavailable, match="blocked"):
        await reading.fetch(10, 0.0)


async def test_a_partition_lost_while_we_ask_about_it_is_no_fault() -> None:
    consumer = FakeConsumer(position=raising(IllegalStateError("not assigned")))
    assert not (await subscription(consumer).fetch(10, 0.0)).records


async def test_being_without_a_place_in_the_group_for_long_costs_the_client() -> None:
    reading = subscription(FakeConsumer(), joined=False)
    assert not (await reading.fetch(10, 0.0)).records
    await asyncio.sleep(LIMITS.join)
    with pytest.raises(BusUnavailable, match="place"):
        await reading.fetch(10, 0.0)


async def test_a_record_without_a_body_comes_through() -> None:
    consumer = FakeConsumer()
    consumer.found = [{HOME: [_record(3, b"a"), _record(4, None)]}]
    batch = await subscription(consumer).fetch(10, 0.0)
    assert [(record.offset, record.body) for record in batch.records] == [(3, b"a"), (4, None)]
    assert batch.next_offsets == {("referrals", 0): 5}


@pytest.mark.parametrize("stop", [hanging, raising(asyncio.CancelledError())])
async def test_closing_never_hangs_and_never_raises(stop: Call) -> None:
    consumer = FakeConsumer(stop=stop)
    await subscription(consumer).close()
    await asyncio.sleep(SOON)
    assert consumer._client.closed


def _record(offset: int, body: bytes | None) -> Any:
    return ConsumerRecord("referrals", 0, offset, 0, 0, None, body, None, 0, 0, ())


class FakeProducer:
    """Acknowledges, or does what the next entry of `answers` says."""

    def __init__(self, answers: list[Exception | str | None]) -> None:
        self.client = FakeConnections()
        self.sent: list[bytes] = []
        self.stopped = False
        self._answers = answers

    async def send(self, topic: str, value: bytes, key: bytes) -> "asyncio.Future[None]":
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, MessageSizeTooLargeError):
            raise answer
        if answer == "block":
            await hanging()
        self.sent.append(value)
        future = asyncio.get_running_loop().create_future()
        if isinstance(answer, Exception):
            future.set_exception(answer)
        elif answer is None:
            future.set_result(None)
        return future

    async def stop(self) -> None:
        self.stopped = True


def publisher(*producers: FakeProducer) -> KafkaPublisher:
    waiting = list(producers)

    async def make() -> FakeProducer:
        return waiting.pop(0)

    return KafkaPublisher(make, Clients(LIMITS), LIMITS)


def outgoing(*keys: str) -> list[Outgoing]:
    return [Outgoing(Topic.REFERRALS, key, f"{key}{n}".encode()) for n, key in enumerate(keys)]


async def test_each_record_is_acknowledged_by_itself() -> None:
    producer = FakeProducer([None, KafkaConnectionError(), None])
    assert list(await publisher(producer).publish(outgoing("a", "b", "c"))) == [True, False, True]
    assert not producer.stopped


async def test_a_record_that_never_fits_holds_up_no_other_key() -> None:
    producer = FakeProducer([MessageSizeTooLargeError(), None])
    assert list(await publisher(producer).publish(outgoing("a", "b"))) == [False, True]
    only = FakeProducer([MessageSizeTooLargeError()])
    assert list(await publisher(only).publish(outgoing("a"))) == [False]


@pytest.mark.parametrize("answer", ["never", "block", KafkaConnectionError()], ids=str)
async def test_nothing_acknowledged_is_unavailable_and_the_next_batch_has_a_new_producer(
    answer: Exception | str,
) -> None:
    first, second = FakeProducer([answer]), FakeProducer([])
    sending = publisher(first, second)
    began = time.monotonic()
    with pytest.raises(BusUnavailable):
        await sending.publish(outgoing("a"))
    assert time.monotonic() - began < 10 * SOON
    assert list(await sending.publish(outgoing("b"))) == [True]
    await sending.close()
    assert first.stopped
    assert second.stopped


async def test_a_producer_that_still_owes_an_answer_is_replaced() -> None:
    first, second = FakeProducer([None, "never"]), FakeProducer([])
    sending = publisher(first, second)
    assert list(await sending.publish(outgoing("a", "b"))) == [True, False]
    assert list(await sending.publish(outgoing("b"))) == [True]
    assert second.sent == [b"b0"]


def test_after_a_keys_first_unacknowledged_record_none_of_it_counts() -> None:
    batch = outgoing("a", "b", "a", "a", "b")
    assert prefix_per_key(batch, [True, True, False, True, True]) == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert prefix_per_key(batch, [True]) == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        # From Apache Kafka's own UtilsTest.testMurmur2.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_partition_of_a_key_is_what_kafkas_own_clients_choose(key: bytes, hashed: int) -> None:
    assert partition_of(key, 6) == (hashed & 0x7FFFFFFF) % 6
