"""Asks the partitions' leaders for their bytes, where aiokafka cannot make records of them.

This reaches into aiokafka 0.14, as clients.py does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_never

import structlog
from aiokafka.errors import IllegalStateError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from shared.messaging.bus import Batch, BusUnavailable, Incoming
from shared.messaging.kafka.calls import Limits, bounded
from shared.messaging.kafka.salvage import Boundless, Damaged, Piece, Sound, pieces

log = structlog.get_logger()

_WAIT_MS = 100
_BYTES = 4 * 1024 * 1024
"""Several of the largest batches, so that what follows a damaged one is seen with it."""
_NO_ERROR = 0
_CANNOT_READ = frozenset({-1, 2, 56})
"""Errors of a broker that cannot read its own log: unknown, corrupt, storage."""


@dataclass(frozen=True, slots=True)
class _Salvaged:
    """What to hand on of a partition, where to go on in it, and whether that is possible."""

    records: Sequence[Incoming]
    position: int
    blocked: bool


class Reader:
    """One reading of a consumer's partitions, from the committed offsets."""

    def __init__(self, consumer: Any, limits: Limits) -> None:
        self._consumer = consumer
        self._limits = limits

    async def read(self, owned: Sequence[TopicPartition], limit: int) -> Batch | None:
        """Up to `limit` records of the partitions that hold damage, with an empty, marked one for
        each offset of a damaged batch. None: there is no damage. Raises BusUnavailable.

        The consumer goes on behind them, and in the other partitions where it last committed. A
        partition that cannot be passed is paused, its first offset marked and not committed.
        """
        starts = {tp: await self._committed(tp) for tp in owned}
        damaged: dict[TopicPartition, _Salvaged] = {}
        for tp, start in starts.items():
            room = limit - sum(len(each.records) for each in damaged.values())
            found = await self._salvage(tp, start, room) if room > 0 else None
            if found:
                damaged[tp] = found
        if not damaged:
            return None
        self._go_on(starts | {tp: each.position for tp, each in damaged.items()})
        self._consumer.pause(*(tp for tp, each in damaged.items() if each.blocked))
        return Batch(
            [record for each in damaged.values() for record in each.records],
            {
                (tp.topic, tp.partition): each.position
                for tp, each in damaged.items()
                if each.position > starts[tp]
            },
        )

    def _go_on(self, positions: dict[TopicPartition, int]) -> None:
        try:
            for tp, position in positions.items():
                self._consumer.seek(tp, position)
        except IllegalStateError as error:  # A rebalance took it.
            raise BusUnavailable("rebalance") from error

    async def _committed(self, tp: TopicPartition) -> int:
        offset: int | None = await bounded(self._consumer.committed(tp), self._limits.probe)
        if offset is None:
            begin = await bounded(self._consumer.beginning_offsets([tp]), self._limits.probe)
            offset = begin[tp]
        assert offset is not None
        return offset

    async def _salvage(self, tp: TopicPartition, start: int, limit: int) -> _Salvaged | None:
        """The partition's records from `start`, if there is damage among them."""
        found = await bounded(self._pieces(tp, start), self._limits.request)
        if all(isinstance(piece, Sound) for piece in found):
            return None
        records: list[Incoming] = []
        for piece in found:
            _tell(tp, piece)
            records += _incoming(tp, piece)
            if len(records) >= limit:
                records = records[:limit]
                return _Salvaged(records, records[-1].offset + 1, blocked=False)
        last = found[-1]
        if isinstance(last, Boundless):
            return _Salvaged(records, last.first, blocked=True)
        return _Salvaged(records, last.next_offset, blocked=False)

    async def _pieces(self, tp: TopicPartition, start: int) -> list[Piece]:
        """What the leader has from `start` on."""
        client = self._consumer._client
        leader = client.cluster.leader_for_partition(tp)
        wanted = [(tp.topic, [(tp.partition, start, _BYTES)])]
        request = FetchRequest(_WAIT_MS, 1, _BYTES, 0, wanted, rack_id="")
        answer = await client.send(leader, request)
        ((_, ((_, error, log_end, *_, fetched),)),) = answer.topics
        if error in _CANNOT_READ:
            return [Boundless(start, for_code(error).__name__)]
        return list(pieces(bytes(fetched or b""), start, log_end)) if error == _NO_ERROR else []


def _incoming(tp: TopicPartition, piece: Piece) -> list[Incoming]:
    match piece:
        case Sound(records=records):
            return [
                Incoming(tp.topic, tp.partition, each.offset, each.value, _time(each))
                for each in records
            ]
        case Damaged():
            return [
                Incoming(tp.topic, tp.partition, offset, None, damage=piece.reason)
                for offset in range(piece.first, piece.next_offset)
            ]
        case Boundless():
            return [Incoming(tp.topic, tp.partition, piece.first, None, damage=piece.reason)]
        case _:
            assert_never(piece)


def _tell(tp: TopicPartition, piece: Piece) -> None:
    where = {"topic": tp.topic, "partition": tp.partition}
    if isinstance(piece, Damaged):
        count = piece.next_offset - piece.first
        facts = {"length": piece.length, "sha256": piece.sha256, "reason": piece.reason}
        log.error("batch_damaged", offset=piece.first, count=count, **where, **facts)
    if isinstance(piece, Boundless):
        log.error("partition_blocked", offset=piece.first, reason=piece.reason, **where)


def _time(record: Any) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
