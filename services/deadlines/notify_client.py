"""What deadlines asks of notify before it says that a clock ran out."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.contracts.base import Instant
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.internal_http import InternalClient

SCOPES = ("internal:watermark",)
SECONDS = 2.0
"""How long notify may take to answer: a breach waits for it."""


class Watermark(BaseModel):
    """How far notify's facts have left it, by notify's own clock.

    `sequences`: the last event that notify has emitted on topic notices, by referral asked for.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    oldest_unrelayed_at: Instant | None
    now: Instant
    sequences: Mapping[str, int] = {}


class Notify(Protocol):
    async def watermark(self, referral_ids: Sequence[str]) -> Watermark | None:
        """None when it cannot be had."""


class HttpNotify:
    """Notify over its internal API."""

    def __init__(self, client: InternalClient) -> None:
        self._client = client

    async def watermark(self, referral_ids: Sequence[str]) -> Watermark | None:
        query = "&".join(f"subject={referral_id}" for referral_id in referral_ids)
        try:
            answer = await self._client.get(f"/internal/v1/watermark?{query}")
            return Watermark.model_validate(answer)
        except (Retryable, Permanent, ValidationError):
            return None
