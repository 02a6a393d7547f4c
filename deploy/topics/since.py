"""What the brokers hold since a moment: after a disk was lost, the record of the lost time.

One JSON object a line: ids, types and times, as events have them (P5).
"""

import json
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from deploy.topics.cluster import Refused
from deploy.topics.passing import reading
from shared.contracts.base import Event
from shared.messaging.kafka.security import Security

_WAIT_MS = 10_000


async def since(
    servers: str, security: Security, topics: Collection[str], moment: datetime
) -> AsyncIterator[str]:
    """Each event that the brokers took at or after the moment, in a partition's order. Raises
    Refused."""
    async with reading(servers, security, topics) as (consumer, partitions):
        begin = await consumer.offsets_for_times(
            dict.fromkeys(partitions, int(moment.timestamp() * 1000))
        )
        ends = await consumer.end_offsets(partitions)
        for each in partitions:
            consumer.seek(each, begin[each].offset if begin[each] else ends[each])
        left = {each for each in partitions if begin[each] and begin[each].offset < ends[each]}
        while left:
            found = await consumer.getmany(*left, timeout_ms=_WAIT_MS)
            if not found:
                raise Refused("the records do not come")
            for partition, records in found.items():
                for record in records:
                    if record.offset < ends[partition]:
                        yield _line(record)
                if records[-1].offset + 1 >= ends[partition]:
                    left.discard(partition)


def _line(record: Any) -> str:
    where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    try:
        event = Event.model_validate_json(record.value or b"")
    except ValidationError:
        return json.dumps(where | {"unreadable": True})
    taken = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    said = event.model_dump(mode="json", include={"source", "type", "subject", "sequence", "data"})
    return json.dumps(where | {"taken_at": taken.isoformat()} | said)
