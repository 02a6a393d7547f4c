"""What deadlines asks of the services whose facts it folds before it says that a clock ran out."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.contracts.base import Instant, Source
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.internal_http import InternalClient

SCOPES = ("internal:watermark",)
SECONDS = 2.0
"""How long a neighbour may take to answer: a breach waits for it."""


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
    """All of them, asked at the same time."""

    def __init__(self, each: Mapping[Source, Neighbour]) -> None:
        self._each = each

    async def watermarks(self, referral_ids: Sequence[str]) -> Mapping[Source, Watermark | None]:
        said = await asyncio.gather(*(n.watermark(referral_ids) for n in self._each.values()))
        return dict(zip(self._each, said, strict=True))
