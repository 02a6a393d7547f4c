"""Reads a partition batch by batch, so that one which aiokafka cannot decode costs itself alone.

aiokafka raises for such a batch and stays before it, and the good records that it fetched in front
of it are lost to the caller. Here the brokers' bytes are taken apart by their framing only; the end
of a damaged batch is believed when something beside the batch itself bears it out.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.record.memory_records import MemoryRecords

_FRAME = struct.Struct(">qi")
"""Base offset, and the length of what follows."""
_LAST_OFFSET_DELTA = struct.Struct(">i")
_LAST_OFFSET_DELTA_AT = 23


@dataclass(frozen=True, slots=True)
class Sound:
    """A batch as its producer wrote it, decoded."""

    records: Sequence[Any]
    """aiokafka's own records."""
    next_offset: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """A batch that cannot be decoded. It holds the offsets from `first` up to `next_offset`."""

    first: int
    next_offset: int
    reason: str
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Boundless:
    """A damaged batch of which nobody can say where it ends: passing it could pass good ones."""

    first: int
    reason: str


Piece = Sound | Damaged | Boundless


def pieces(fetched: bytes, position: int, log_end: int) -> Iterator[Piece]:
    """What lies in the answer to a fetch from `position`, in order; ends at a Boundless.

    `log_end` is the offset after the last record of the partition. A batch that the answer holds
    only in part is left to the next fetch.
    """
    at, start = 0, position
    while batch := _framed(fetched, at):
        at += len(batch)
        piece = _piece(batch, fetched[at:], position, log_end)
        if isinstance(piece, Boundless):
            yield piece
            return
        if piece.next_offset > position:
            yield piece
            position = piece.next_offset
    if position == start < log_end:
        yield Boundless(start, "NotFramed")


def _framed(fetched: bytes, at: int) -> bytes:
    """The batch that begins there; nothing if it is not all there."""
    if at + _FRAME.size > len(fetched):
        return b""
    _, length = _FRAME.unpack_from(fetched, at)
    end = at + _FRAME.size + length
    return fetched[at:end] if length >= 0 and end <= len(fetched) else b""


def _piece(batch: bytes, following: bytes, position: int, log_end: int) -> Piece:
    try:
        return _decode(batch, position)
    except Exception as error:
        reason = type(error).__name__
    base, _ = _FRAME.unpack_from(batch)
    first = max(base, position)
    end = _end(batch, following, log_end)
    if end is None or end <= first:
        return Boundless(first, reason)
    return Damaged(first, end, reason, len(batch), hashlib.sha256(batch).hexdigest())


def _decode(batch: bytes, position: int) -> Sound:
    """Raises whatever aiokafka raises, which is anything."""
    decoded = MemoryRecords(batch).next_batch()
    if not decoded.validate_crc():
        raise InvalidChecksum
    records = [] if decoded.is_control_batch else [r for r in decoded if r.offset >= position]
    return Sound(records, decoded.next_offset)


def _end(batch: bytes, following: bytes, log_end: int) -> int | None:
    """The offset after a damaged batch: the first of the batch behind it if that one is whole or
    is what the damaged one says itself; the end of the log if none is behind it and it says so."""
    own = _says(batch)
    if len(following) < _FRAME.size:
        return log_end if own == log_end else None
    base, length = _FRAME.unpack_from(following)
    whole = following[: _FRAME.size + max(0, length)]
    return base if base <= log_end and (base == own or _is_whole(whole)) else None


def _says(batch: bytes) -> int | None:
    if len(batch) < _LAST_OFFSET_DELTA_AT + _LAST_OFFSET_DELTA.size:
        return None
    base, _ = _FRAME.unpack_from(batch)
    (delta,) = _LAST_OFFSET_DELTA.unpack_from(batch, _LAST_OFFSET_DELTA_AT)
    return int(base + delta + 1)


def _is_whole(batch: bytes) -> bool:
    try:
        return bool(MemoryRecords(batch).next_batch().validate_crc())
    except Exception:
        return False


class InvalidChecksum(Exception):
    """The batch is not what its producer wrote."""
