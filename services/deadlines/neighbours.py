"""What deadlines asks of the services whose facts it folds before it says that a clock ran out."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.contracts.base import Instant, Source
from shared.runtime import metrics
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.ids import utc_now
from shared.runtime.internal_http import InternalClient

SCOPES = ("internal:watermark",)
SECONDS = 2.0
"""How long a neighbour may take to answer: a breach waits for it."""
COMPARED_SECONDS = 20.0
"""Between two comparisons of their clocks with ours while nothing is due."""


class Watermark(BaseModel):
    """How far a neighbour's facts have left it, by its own clock.

    `sequences`: the last event that it has emitted, by referral asked for.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    oldest_unrelayed_at: Instant | None
    now: Instant
    sequences: Mapping[str, int] = {}


class Neighbour(Protocol):
    async def watermark(self, referral_ids: Sequence[str]) -> Watermark | None:
        """None when it cannot be had."""


class HttpNeighbour:
    """A service over its internal API."""

    def __init__(self, client: InternalClient) -> None:
        self._client = client

    async def watermark(self, referral_ids: Sequence[str]) -> Watermark | None:
        query = "&".join(f"subject={referral_id}" for referral_id in referral_ids)
        try:
            answer = await self._client.get(f"/internal/v1/watermark?{query}")
            return Watermark.model_validate(answer)
        except (Retryable, Permanent, ValidationError):
            return None


class Neighbours:
    """All of them, asked at the same time, and their clocks compared with ours at every answer.

    A neighbour dates its facts by its own clock. One that is behind makes breaches wait, PATIENCE
    at most; one that is ahead dates facts too late, which nobody can tell from facts that are
    late. So a clock that is off is alarmed, and never followed.
    """

    def __init__(
        self, each: Mapping[Source, Neighbour], clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._each = each
        self._clock = clock

    async def watermarks(self, referral_ids: Sequence[str]) -> Mapping[Source, Watermark | None]:
        said = await asyncio.gather(*(self._ask(source, referral_ids) for source in self._each))
        return dict(zip(self._each, said, strict=True))

    async def stay_compared(self) -> None:
        """For ever: a clock that is off is noticed before the next breach depends on it."""
        while True:
            await self.watermarks(())
            await asyncio.sleep(COMPARED_SECONDS)

    async def _ask(self, source: Source, referral_ids: Sequence[str]) -> Watermark | None:
        asked = self._clock()
        said = await self._each[source].watermark(referral_ids)
        skew = math.nan if said is None else ahead(said.now, asked, self._clock()).total_seconds()
        metrics.NEIGHBOUR_SKEW.labels(source.name.lower()).set(skew)
        return said


def ahead(theirs: datetime, asked: datetime, answered: datetime) -> timedelta:
    """How far a clock that was read between `asked` and `answered` is ahead, at least; zero when
    the time that the answer took explains it."""
    if theirs > answered:
        return theirs - answered
    return min(theirs - asked, timedelta(0))
