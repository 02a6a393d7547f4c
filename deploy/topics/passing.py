"""Passing over what the brokers hold of a past that the database has lost.

A database restored from a backup goes on from an earlier moment, and its outboxes give the same
subjects the same sequences anew. What the brokers still hold of the lost time is another past:
whoever read both would find forks. So every group begins behind it, and the outboxes send again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from deploy.topics.cluster import Refused
from deploy.topics.plan import Acl
from shared.messaging.kafka.security import Security

_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, order=True)
class Passage:
    """A group's partition: from where it would read on, and from where it is to."""

    group: str
    topic: str
    partition: int
    at: int | None
    """None: the group has not read of it yet."""
    end: int

    def __str__(self) -> str:
        at = "the beginning" if self.at is None else str(self.at)
        return f"{self.group}: {self.topic}/{self.partition} from {at} to {self.end}"


def number(passages: Iterable[Passage]) -> str:
    """The same only for the same passages: who passes over them says it."""
    return sha256("\n".join(map(repr, sorted(passages))).encode()).hexdigest()[:12]


def readers(acls: Collection[Acl]) -> dict[str, set[str]]:
    """By group, the topics that it reads."""
    reads = {(each.principal, each.name) for each in acls if _is(each, "topic")}
    return {
        each.name: {topic for who, topic in reads if who == each.principal}
        for each in acls
        if _is(each, "group")
    }


def _is(acl: Acl, resource: str) -> bool:
    return acl.resource == resource and acl.operation == "read"


async def find(
    servers: str, security: Security, groups: Mapping[str, Collection[str]]
) -> list[Passage]:
    """Every partition of which a group has not read all. Raises Refused."""
    found: list[Passage] = []
    for group, topics in sorted(groups.items()):
        async with _member(servers, security, group, topics) as (consumer, partitions):
            begins = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
            for each in partitions:
                at = await consumer.committed(each)
                if (begins[each] if at is None else at) != ends[each]:
                    found.append(Passage(group, each.topic, each.partition, at, ends[each]))
    return found


async def pass_over(
    servers: str, security: Security, passages: Collection[Passage], patience: float = 30.0
) -> None:
    """Have every group read on behind them. Raises Refused, too while a group has a member."""
    for group in sorted({each.group for each in passages}):
        offsets = {
            TopicPartition(each.topic, each.partition): each.end
            for each in passages
            if each.group == group
        }
        topics = {each.topic for each in offsets}
        async with _member(servers, security, group, topics) as (consumer, _):
            await _commit(consumer, group, offsets, time.monotonic() + patience)


async def _commit(
    consumer: Any, group: str, offsets: Mapping[TopicPartition, int], deadline: float
) -> None:
    """A member that was killed counts as one until its session is over."""
    while True:
        try:
            await consumer.commit(offsets)
            return
        except KafkaError as error:
            if time.monotonic() > deadline:
                raise Refused(
                    f"{group} was left as it is ({type(error).__name__}): a process of it still "
                    "runs. Stop it first."
                ) from None
        await asyncio.sleep(_AGAIN_SECONDS)


@asynccontextmanager
async def _member(
    servers: str, security: Security, group: str, topics: Collection[str]
) -> AsyncIterator[tuple[Any, list[TopicPartition]]]:
    """A client that reads and writes the group's offsets without joining it."""
    async with reading(servers, security, topics, group=group) as (consumer, partitions):
        yield consumer, partitions


@asynccontextmanager
async def reading(
    servers: str, security: Security, topics: Collection[str], *, group: str | None = None
) -> AsyncIterator[tuple[Any, list[TopicPartition]]]:
    """A consumer of all partitions of the topics, and those partitions. Raises Refused."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **security.options(),
    )
    try:
        await consumer.start()
        partitions = await _partitions(consumer, topics)
        consumer.assign(partitions)
        yield consumer, partitions
    except (KafkaError, OSError, TimeoutError) as error:
        raise Refused(f"the brokers at {servers} do not answer ({type(error).__name__})") from None
    finally:
        await consumer.stop()


async def _partitions(consumer: Any, topics: Collection[str]) -> list[TopicPartition]:
    """Asked for by name: a client that is assigned nothing knows of no topic."""
    await consumer._client.set_topics(topics)
    found: list[TopicPartition] = []
    for topic in sorted(topics):
        partitions = consumer.partitions_for_topic(topic)
        if not partitions:
            raise Refused(f"there is no topic {topic}: compare, then apply")
        found += [TopicPartition(topic, each) for each in sorted(partitions)]
    return found
