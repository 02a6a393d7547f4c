"""The Kafka bus: six partitions per topic, one subject always in one of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.contracts.base import Topic
from shared.messaging.bus import Positions, Publisher, Subscription
from shared.messaging.kafka.calls import Limits
from shared.messaging.kafka.clients import Clients
from shared.messaging.kafka.membership import Membership
from shared.messaging.kafka.partitions import choose
from shared.messaging.kafka.publisher import KafkaPublisher
from shared.messaging.kafka.security import Security
from shared.messaging.kafka.subscription import KafkaSubscription
from shared.messaging.kafka.topics import ensure_topics

_DEFAULTS = Limits()
_NONE = Security()
_BATCH_BYTES = 512 * 1024
_FETCH_BYTES = 4 * 1024 * 1024
_BACKOFF_MS = 100
_METADATA_MS = 30_000
_MOST_IDLE_MS = 60_000


class KafkaBus:
    """A process's end of the bus."""

    def __init__(
        self, servers: str, name: str, limits: Limits = _DEFAULTS, security: Security = _NONE
    ) -> None:
        """`servers` is `host:port[,host:port]`; `name` is shown to the brokers."""
        self._servers = servers
        self._name = name
        self._limits = limits
        self._security = security.options()
        self._clients = Clients(limits)
        self._topics_exist = False

    async def publisher(self) -> Publisher:
        """Connects with the first batch."""
        return KafkaPublisher(self._producer, self._clients, self._limits)

    async def subscribe(
        self, group: str, topics: Sequence[Topic], stored: Positions
    ) -> Subscription:
        """Join the group in the background. Kafka keeps its positions, so `stored` is not used;
        where it knows none, or none that still exists, the group begins at the earliest record."""
        await self._ensure_topics()
        membership = Membership()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            client_id=self._name,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            request_timeout_ms=_ms(self._limits.request),
            session_timeout_ms=_ms(self._limits.session),
            heartbeat_interval_ms=_ms(self._limits.heartbeat),
            max_poll_interval_ms=_MOST_IDLE_MS,
            fetch_max_bytes=_FETCH_BYTES,
            retry_backoff_ms=_BACKOFF_MS,
            metadata_max_age_ms=_METADATA_MS,
            **self._security,
        )
        await self._clients.start(consumer)
        consumer.subscribe([topic.value for topic in topics], listener=membership)
        return KafkaSubscription(consumer, membership, topics, self._clients, self._limits)

    async def prune(self, older_than: timedelta) -> int:
        """Nothing to do: the brokers remove what is older than the topics' retention."""
        return 0

    async def close(self) -> None:
        """Publishers and subscriptions are closed before, by whoever opened them."""
        await self._clients.settle()

    async def _producer(self) -> Any:
        await self._ensure_topics()
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            client_id=self._name,
            acks="all",
            enable_idempotence=False,
            partitioner=choose,
            max_batch_size=_BATCH_BYTES,
            request_timeout_ms=_ms(self._limits.publish / 2),
            retry_backoff_ms=_BACKOFF_MS,
            metadata_max_age_ms=_METADATA_MS,
            **self._security,
        )
        await self._clients.start(producer)
        return producer

    async def _ensure_topics(self) -> None:
        if not self._topics_exist:
            await ensure_topics(self._servers, self._security, self._clients, self._limits)
            self._topics_exist = True


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
