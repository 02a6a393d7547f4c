"""Sends to Kafka with acks=all and without idempotence, which hangs while the broker is down."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog
from aiokafka.errors import MessageSizeTooLargeError

from shared.messaging.bus import BusUnavailable, Outgoing
from shared.messaging.kafka.calls import Limits, bounded
from shared.messaging.kafka.clients import Clients

log = structlog.get_logger()

Sent = list["asyncio.Future[Any] | None"]
"""One per record: its acknowledgement to come, or None for one too large for Kafka."""


class KafkaPublisher:
    """A publisher that makes itself a new producer when it lost its faith in the old one."""

    def __init__(
        self, make: Callable[[], Coroutine[Any, Any, Any]], clients: Clients, limits: Limits
    ) -> None:
        """`make` gives a started producer, or raises BusUnavailable."""
        self._make = make
        self._clients = clients
        self._limits = limits
        self._producer: Any = None

    async def publish(
        self, batch: Sequence[Outgoing], home: datetime | None = None
    ) -> Sequence[bool]:
        """True up to the first record of each key that Kafka did not acknowledge.

        A producer that still owes an answer at the deadline may send what it holds later on, in
        any order; it is replaced.
        """
        if not batch:
            return []
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.publish
        if self._producer is None:
            self._producer = await bounded(self._make(), self._limits.publish)
        sent: Sent = []
        try:
            await self._send(batch, sent, deadline)
        finally:
            self._replace_if_in_doubt(batch, sent)
        acks = [future is not None and _acknowledged(future) for future in sent]
        refused = len(sent) == len(batch) and all(future is None for future in sent)
        if not any(acks) and not refused:
            self._replace()
            raise BusUnavailable("nothing was acknowledged")
        return prefix_per_key(batch, acks)

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await self._clients.end(producer)

    async def _send(self, batch: Sequence[Outgoing], sent: Sent, deadline: float) -> None:
        """Hand everything over, then wait for the answers; whatever is there at the deadline."""
        loop = asyncio.get_running_loop()
        with suppress(BusUnavailable):
            await bounded(_enqueue(self._producer, batch, sent), deadline - loop.time())
        answers = [future for future in sent if future is not None]
        if answers:
            await asyncio.wait(answers, timeout=max(0.0, deadline - loop.time()))

    def _replace_if_in_doubt(self, batch: Sequence[Outgoing], sent: Sent) -> None:
        pending = [future for future in sent if future is not None and not future.done()]
        if pending or len(sent) < len(batch):
            self._replace()
        for future in pending:
            future.add_done_callback(_acknowledged)

    def _replace(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            self._clients.end_soon(producer)


async def _enqueue(producer: Any, batch: Sequence[Outgoing], sent: Sent) -> None:
    for record in batch:
        try:
            sent.append(
                await producer.send(record.topic.value, record.body, key=record.key.encode())
            )
        except MessageSizeTooLargeError:
            log.error("record_too_large", topic=record.topic.value, length=len(record.body))
            sent.append(None)


def _acknowledged(future: "asyncio.Future[Any]") -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def prefix_per_key(batch: Sequence[Outgoing], acks: Sequence[bool]) -> list[bool]:
    """Per topic and key, True only before the first record without an acknowledgement.

    Without idempotence aiokafka may give up on one batch and send the next. `acks` may be short:
    what follows was not sent.
    """
    broken: set[tuple[str, str]] = set()
    result = []
    for index, record in enumerate(batch):
        head = (record.topic.value, record.key)
        if index >= len(acks) or not acks[index]:
            broken.add(head)
        result.append(head not in broken)
    return result
