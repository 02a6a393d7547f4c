"""The topics exist before anybody uses them: one made by accident has the wrong partitions."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.contracts.base import Topic
from shared.messaging.bus import RETENTION, BusUnavailable
from shared.messaging.kafka.calls import Limits, bounded
from shared.messaging.kafka.clients import Clients

log = structlog.get_logger()

PARTITIONS = 6
_MOST_REPLICAS = 3
_LOOK_AGAIN_SECONDS = 0.05
_DONE = 0
_TOPIC_ALREADY_EXISTS = 36


async def ensure_topics(
    servers: str, security: Mapping[str, Any], clients: Clients, limits: Limits
) -> None:
    """Make the topics that are missing; one with other than 6 partitions is used as it is, and
    logged. Raises BusUnavailable, also when Kafka refuses to make one."""
    admin = AIOKafkaAdminClient(
        bootstrap_servers=servers, request_timeout_ms=int(limits.request * 1000), **security
    )
    await clients.start(admin)
    try:
        found = await _partitions(admin, limits)
        missing = [topic.value for topic in Topic if topic.value not in found]
        if missing:
            await _make(admin, missing, limits)
            await bounded(_visible(admin, missing, limits), limits.request)
        for topic in Topic:
            if found.get(topic.value, PARTITIONS) != PARTITIONS:
                log.warning("topic_partitions_differ", topic=topic.value, count=found[topic.value])
    finally:
        clients.end_soon(admin)


async def _partitions(admin: Any, limits: Limits) -> Mapping[str, int]:
    """The partitions of every topic. To ask for one by its name could make it."""
    topics = await bounded(admin.describe_topics(), limits.request)
    return {topic["topic"]: len(topic["partitions"]) for topic in topics}


async def _visible(admin: Any, names: Collection[str], limits: Limits) -> None:
    """Wait until the broker that we ask tells of them: a group formed earlier would be given
    nothing of them until its next look at the metadata."""
    while not set(names) <= (await _partitions(admin, limits)).keys():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _make(admin: Any, names: list[str], limits: Limits) -> None:
    cluster = await bounded(admin.describe_cluster(), limits.request)
    replicas = min(_MOST_REPLICAS, len(cluster["brokers"]))
    config = {
        "cleanup.policy": "delete",
        "retention.ms": str(int(RETENTION.total_seconds() * 1000)),
        "min.insync.replicas": "2" if replicas == _MOST_REPLICAS else "1",
    }
    topics = [NewTopic(name, PARTITIONS, replicas, topic_configs=config) for name in names]
    answer = await bounded(admin.create_topics(topics), limits.request)
    for name, code, *_ in answer.topic_errors:
        if code not in (_DONE, _TOPIC_ALREADY_EXISTS):
            log.error("topic_not_made", topic=name, code=code)
            raise BusUnavailable(f"the topic {name} is missing and could not be made")
