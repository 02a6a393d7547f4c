"""Conflicts of interest, asserted in the middle of it: what was asked for after the 200 (P3)."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

import aiohttp

from tests.chaos.caller import Accepted
from tests.chaos.ledgers import Ledgers


@dataclass(frozen=True, slots=True)
class Held:
    """`since` its 200 nothing of the referral may be sent to the agency."""

    referral_id: str
    agency_id: str
    since: float


class Objector:
    """Asserts that the police of a child's town have a conflict of interest, until it is heard."""

    def __init__(self, url: str, token: Callable[[], str], police: Mapping[str, Set[str]]) -> None:
        self._url = url
        self._token = token
        self._police = police
        self.held: list[Held] = []

    async def object_to(self, session: aiohttp.ClientSession, referral: Accepted) -> None:
        """An officer of the first child's town is implicated, found out while the notices leave."""
        agency_id = min(self._police[referral.towns[0]])
        while not await self._asserted(session, referral.referral_id, agency_id):
            await asyncio.sleep(0.3)
        self.held.append(Held(referral.referral_id, agency_id, time.time()))

    async def _asserted(
        self, session: aiohttp.ClientSession, referral_id: str, agency_id: str
    ) -> bool:
        try:
            async with session.post(
                f"{self._url}/v1/referrals/{referral_id}/conflicts",
                json={"agency_id": agency_id, "ground": "officer_implicated"},
                headers={"Authorization": f"Bearer {self._token()}"},
                timeout=aiohttp.ClientTimeout(total=15),
            ) as answer:
                if 400 <= answer.status < 500 and answer.status != 429:
                    raise AssertionError(f"a conflict: {await answer.text()}")
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


def sent_all_the_same(held: Sequence[Held], ledgers: Ledgers) -> list[str]:
    """Attempts that were claimed after the assertion had been answered."""
    since = {(each.referral_id, each.agency_id): each.since for each in held}
    return [
        f"{attempt.disclosure_id} of {attempt.notice_id}"
        for attempt in ledgers.attempts
        if attempt.at > since.get((attempt.referral_id, attempt.agency_id), float("inf"))
    ]
