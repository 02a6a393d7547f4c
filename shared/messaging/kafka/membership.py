"""Whether a consumer has a place in its group."""

import asyncio
from collections.abc import Collection

from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.structs import TopicPartition


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Told of rebalances, which run in the background of a consumer.

    A member may be given nothing, when the group has more members than partitions; that is a
    place too.
    """

    def __init__(self) -> None:
        self._without_since: float | None = asyncio.get_running_loop().time()

    def without_place_for(self) -> float:
        """Seconds since we lost our place or began to look for one; 0 while we have one."""
        if self._without_since is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._without_since

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self._without_since = asyncio.get_running_loop().time()

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._without_since = None
