"""The phone system of the chaos run: it never gives up, and remembers every 2xx it got."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from tests.load import referrals

SILENT_TOWN = "Danbury"
"""Its police do not answer for a time, again and again."""
DUE_IN = timedelta(seconds=15), timedelta(seconds=45)
"""How soon the clocks of a late referral run out, in the silent town and elsewhere. It was received
almost twelve hours ago."""
CLOCK = timedelta(hours=12)


@dataclass
class Accepted:
    """A referral that intake answered for, and the highest version it answered for."""

    referral_id: str
    number: str
    child_ids: list[str]
    towns: list[str]
    marks: list[str]
    due_at: datetime
    version: int = 1
    objected: bool = False
    """The police of a town of its are left out, and others stand in for them."""
    withdrawn: str | None = None
    """The cause, once intake has answered for it."""


Objection = Callable[[aiohttp.ClientSession, Accepted], Awaitable[None]]


class Caller:
    """Posts referrals with an Idempotency-Key, and amends some, withdraws some and has a conflict
    of interest asserted in some while their first notices leave. `cause_of` a call's withdrawal,
    by its number; None: it stands."""

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        object_to: Objection,
        cause_of: Callable[[int], str | None],
    ) -> None:
        self._url = url
        self._token = token
        self._object_to = object_to
        self._cause_of = cause_of
        self.accepted: list[Accepted] = []
        self.retries = 0

    async def call(self, session: aiohttp.ClientSession, number: int) -> None:
        """One referral until it is accepted, whatever dies meanwhile; then perhaps a correction."""
        key = secrets.token_hex(16)
        body = told(number, datetime.now(UTC))
        answer = await self._insist(
            session, "POST", "/v1/referrals", body, {"Idempotency-Key": key}
        )
        referral = Accepted(
            answer["referral_id"],
            answer["number"],
            [child["child_id"] for child in answer["children"]],
            [child["residence_town"] for child in body["children"]],
            [mark(number, place) for place in range(len(body["children"]))],
            datetime.fromisoformat(body["received_at"]) + CLOCK,
        )
        self.accepted.append(referral)
        if number % 4 == 3 and SILENT_TOWN not in referral.towns:
            referral.objected = True
            await self._object_to(session, referral)
        if number % 3 == 0:
            await self._amend(session, referral, body)
        if (cause := self._cause_of(number)) is not None:
            await self._withdraw(session, referral, cause)

    async def _withdraw(
        self, session: aiohttp.ClientSession, referral: Accepted, cause: str
    ) -> None:
        path = f"/v1/referrals/{referral.referral_id}/withdrawal"
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        await self._insist(session, "POST", path, {"cause": cause}, headers)
        referral.withdrawn = cause

    async def _amend(
        self, session: aiohttp.ClientSession, referral: Accepted, body: dict[str, Any]
    ) -> None:
        children = [
            child | {"child_id": child_id, "age_years": 14}
            for child, child_id in zip(body["children"], referral.child_ids, strict=True)
        ]
        path = f"/v1/referrals/{referral.referral_id}"
        headers = {"If-Match": '"1"', "Content-Type": "application/merge-patch+json"}
        await self._insist(session, "PATCH", path, {"children": children}, headers)
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


def told(number: int, now: datetime) -> dict[str, Any]:
    """One, two or three children, each of another town and with a mark of its own; every fifth
    referral is late, and every tenth is both late and of the silent town."""
    body = referrals.body(number)
    late, (child,) = number % 5 == 0, body["children"]
    silent = number % 10 == 0
    first = referrals.TOWNS.index(SILENT_TOWN) if silent else number
    received_at = now - CLOCK + DUE_IN[not silent] if late else now
    body["received_at"] = received_at.isoformat()
    body["children"] = []
    for place in range((1, 1, 2, 1, 3)[number % 5] if not late else 1 + number // 5 % 2):
        town = referrals.TOWNS[(first + place) % len(referrals.TOWNS)]
        body["children"].append(
            child
            | {
                "name": f"Test Child {number}.{place}",
                "residence_town": town,
                "incident_towns": [town],
                "reasons_for_suspicion": f"Synthetic example {mark(number, place)}; nobody real.",
            }
        )
    return body


def mark(number: int, place: int) -> str:
    return f"mark-{number}-{place}"
