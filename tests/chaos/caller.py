"""The phone system of the chaos run: it never gives up, and remembers every 2xx it got."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.load import referrals


@dataclass
class Accepted:
    """A referral that intake answered for, and the highest version it answered for."""

    referral_id: str
    number: str
    child_id: str
    version: int = 1


class Caller:
    """Posts referrals with an Idempotency-Key and amends some while their first notices leave."""

    def __init__(self, url: str, token: Callable[[], str]) -> None:
        self._url = url
        self._token = token
        self.accepted: list[Accepted] = []
        self.retries = 0

    async def call(self, session: aiohttp.ClientSession, number: int, *, amend: bool) -> None:
        """One referral until it is accepted, whatever dies meanwhile; then perhaps a correction."""
        key = secrets.token_hex(16)
        body = referrals.body(number)
        answer = await self._insist(
            session, "POST", "/v1/referrals", body, {"Idempotency-Key": key}
        )
        referral = Accepted(
            answer["referral_id"], answer["number"], answer["children"][0]["child_id"]
        )
        self.accepted.append(referral)
        if amend:
            await self._amend(session, referral, body)

    async def _amend(
        self, session: aiohttp.ClientSession, referral: Accepted, body: dict[str, Any]
    ) -> None:
        child = body["children"][0] | {"child_id": referral.child_id, "age_years": 14}
        path = f"/v1/referrals/{referral.referral_id}"
        headers = {"If-Match": '"1"', "Content-Type": "application/merge-patch+json"}
        await self._insist(session, "PATCH", path, {"children": [child]}, headers)
        referral.version = 2

    async def _insist(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        body: dict[str, Any],
        headers: dict[str, str],
    ) -> dict[str, Any]:
        """Until 2xx. A 412 after a lost answer means that our own amendment had arrived."""
        while True:
            try:
                async with session.request(
                    method,
                    self._url + path,
                    json=body,
                    headers={"Authorization": f"Bearer {self._token()}", **headers},
                    timeout=aiohttp.ClientTimeout(total=15),
                ) as response:
                    if response.status in (200, 201):
                        answer: dict[str, Any] = await response.json()
                        return answer
                    if response.status == 412:
                        return {}
                    if response.status < 500 and response.status != 429:
                        raise AssertionError(f"{method} {path}: {await response.text()}")
            except (aiohttp.ClientError, TimeoutError):
                pass
            self.retries += 1
            await asyncio.sleep(0.3)
