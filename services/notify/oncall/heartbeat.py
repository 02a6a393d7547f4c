"""The dead-man's heartbeat: a POST while everything works. Whoever waits for it notices silence."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp
import structlog

from services.notify.oncall import drill_store
from shared.runtime import metrics
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.ops import Readiness

log = structlog.get_logger()

EVERY_SECONDS = 60.0
_SECONDS = 10.0
_PULSE_SECONDS = 90.0
PATIENCE = timedelta(minutes=5)
"""Since the last synthetic referral that passed."""


@dataclass(slots=True)
class Pulses:
    """When each chore of the role last succeeded, on the event loop's clock."""

    times: dict[str, float] = field(default_factory=dict)

    def beat(self, name: str) -> None:
        self.times[name] = asyncio.get_running_loop().time()

    def stopped(self, names: Sequence[str]) -> list[str]:
        now = asyncio.get_running_loop().time()
        silent = float("-inf")
        return [name for name in names if now - self.times.get(name, silent) > _PULSE_SECONDS]


def wrong(
    problems: Mapping[str, str],
    stopped: Sequence[str],
    passed: datetime | None,
    now: datetime,
    *,
    drills: bool,
) -> str | None:
    """The first thing that does not work, by its name; None: all does. Pure."""
    if problems:
        return min(problems)
    if stopped:
        return min(stopped)
    if drills and (passed is None or now - passed > PATIENCE):
        return "synthetic"
    return None


class Heartbeat:
    """`watched`: chores that must have succeeded lately. `drills`: synthetic referrals are on."""

    def __init__(
        self,
        db: Database,
        url: str,
        readiness: Readiness,
        pulses: Pulses,
        *,
        watched: Sequence[str],
        drills: bool,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._url = url
        self._readiness = readiness
        self._pulses = pulses
        self._watched = tuple(watched)
        self._drills = drills
        self._clock = clock

    async def once(self) -> None:
        async with self._db.transaction() as session:
            passed = await drill_store.last_passed(session)
        reason = wrong(
            await self._readiness.problems(),
            self._pulses.stopped(self._watched),
            passed,
            self._clock(),
            drills=self._drills,
        )
        if reason is not None:
            metrics.HEARTBEATS.labels("withheld").inc()
            log.warning("heartbeat_withheld", reason=reason)
            return
        metrics.HEARTBEATS.labels("taken" if await self._post() else "failed").inc()

    async def _post(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=_SECONDS), trust_env=False
                ) as session,
                session.post(
                    self._url,
                    json={"service": "hartline", "status": "alive"},
                    allow_redirects=False,
                ) as answer,
            ):
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, OSError, ValueError):
            return False
