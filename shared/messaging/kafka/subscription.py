"""Reads as a member of a consumer group, and does not trust the silence."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka.errors import IllegalGenerationError, IllegalStateError, UnknownMemberIdError
from aiokafka.structs import TopicPartition

from shared.contracts.base import Topic
from shared.messaging.bus import Batch, BusUnavailable, Incoming, Positions
from shared.messaging.kafka.calls import Limits, bounded
from shared.messaging.kafka.clients import Clients
from shared.messaging.kafka.membership import Membership
from shared.messaging.kafka.reader import Reader

log = structlog.get_logger()


class KafkaSubscription:
    """One started consumer. Once it raised BusUnavailable, open another one.

    While the group rebalances `fetch` finds nothing. Who gets a partition starts at what the last
    owner committed, so records may come twice, never less than once.
    """

    def __init__(
        self,
        consumer: Any,
        membership: Membership,
        topics: Sequence[Topic],
        clients: Clients,
        limits: Limits,
    ) -> None:
        self._consumer = consumer
        self._clients = clients
        self._membership = membership
        self._topics = topics
        self._limits = limits
        self._heard_at = asyncio.get_running_loop().time()
        self._behind = False
        self._broken: str | None = None
        self._blocked_since: float | None = None

    async def fetch(self, limit: int, wait: float) -> Batch:
        if self._broken is not None:
            raise BusUnavailable(self._broken)
        self._try_blocked_again()
        try:
            found: Mapping[TopicPartition, Sequence[Any]] = await bounded(
                self._consumer.getmany(timeout_ms=int(wait * 1000), max_records=limit),
                wait + self._limits.request,
            )
        except BusUnavailable as failed:
            if failed.__cause__ is None:
                raise
            return await self._round_the_damage(limit, failed)
        if found:
            self._heard_at = asyncio.get_running_loop().time()
            self._behind = False
        elif await self._watch():
            return await self._round_the_damage(limit, BusUnavailable("records do not come"))
        return _batch(found)

    async def commit(self, next_offsets: Positions) -> None:
        """Commit those partitions that are still ours; the new owners read the others again."""
        owned = self._consumer.assignment()
        offsets = {
            TopicPartition(topic, partition): offset
            for (topic, partition), offset in next_offsets.items()
            if TopicPartition(topic, partition) in owned
        }
        if not offsets:
            return
        try:
            await bounded(self._consumer.commit(offsets), self._limits.commit)
        except BusUnavailable as error:
            log.warning("commit_failed", error=str(error))
            if _costs_the_client(error):
                self._broken = f"commit: {error}"

    async def close(self) -> None:
        await self._clients.end(self._consumer)

    async def _round_the_damage(self, limit: int, failed: BusUnavailable) -> Batch:
        """After a failed fetch: what lies before, in and behind damaged batches, read by hand;
        or the failure, if no batch was the cause.

        What aiokafka had in hand for the other partitions is lost with the failure, so those are
        read again from what was committed.
        """
        reader = Reader(self._consumer, self._limits)
        readable = self._consumer.assignment() - self._consumer.paused()
        batch = await reader.read(sorted(readable), limit)
        if batch is None:
            raise failed
        if self._consumer.paused():
            self._blocked_since = self._blocked_since or asyncio.get_running_loop().time()
        self._heard_at = asyncio.get_running_loop().time()
        return batch

    def _try_blocked_again(self) -> None:
        """A broker may have been mended, or another one lead: begin anew, from time to time."""
        since, now = self._blocked_since, asyncio.get_running_loop().time()
        if since is not None and now - since > self._limits.blocked:
            raise BusUnavailable("a partition is blocked")

    async def _watch(self) -> bool:
        """aiokafka finds nothing, for ever, when the broker is gone: ask, from time to time.
        Whether records are there and do not come."""
        now = asyncio.get_running_loop().time()
        if now - self._heard_at < self._limits.quiet:
            return False
        if self._membership.without_place_for() > self._limits.join:
            raise BusUnavailable("no place in the group")
        was_behind, self._behind = self._behind, await bounded(self._probe(), self._limits.probe)
        self._heard_at = asyncio.get_running_loop().time()
        return was_behind and self._behind

    async def _probe(self) -> bool:
        """Ask the group's coordinator and the partitions' leaders; whether we are behind."""
        await self._consumer.committed(TopicPartition(self._topics[0].value, 0))
        owned = self._consumer.assignment() - self._consumer.paused()
        ends = await self._consumer.end_offsets(owned) if owned else {}
        try:
            return any([await self._consumer.position(tp) < end for tp, end in ends.items()])
        except IllegalStateError:
            return False  # A rebalance took it: somebody is there.


def _batch(found: Mapping[TopicPartition, Sequence[Any]]) -> Batch:
    records = [
        Incoming(record.topic, record.partition, record.offset, record.value, _time(record))
        for group in found.values()
        for record in group
    ]
    return Batch(
        records,
        {(tp.topic, tp.partition): group[-1].offset + 1 for tp, group in found.items() if group},
    )


def _time(record: Any) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def _costs_the_client(error: BusUnavailable) -> bool:
    """Whether a failed commit means that the consumer is stuck, or fenced off by its group.

    During a rebalance a commit fails too, which is ordinary: were everybody to leave and join
    again for that, rebalances would never end.
    """
    failed = error.__cause__
    fenced = failed is not None and isinstance(
        failed.__cause__, UnknownMemberIdError | IllegalGenerationError
    )
    return failed is None or fenced
