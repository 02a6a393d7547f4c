"""Which partition a key belongs to: for ever the same one, in every process and release."""

from collections.abc import Sequence
from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=8192)
def partition_of(key: bytes, count: int) -> int:
    """Murmur2, as Kafka's own clients do it, so that tools written in Java agree with us."""
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % count


def choose(key: bytes, every: Sequence[int], available: Sequence[int]) -> int:
    """aiokafka's `partitioner`. Whether a partition is available now does not matter: order does.

    `every` comes from a set, in no promised order; partitions are always 0 to n - 1.
    """
    return partition_of(key, len(every))
