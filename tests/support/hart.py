"""HART, operations and placements for tests: people with their scopes, over intake's own API."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
from fastapi import FastAPI

from tests.support.intake import BASE, SCOPES, Keys, post, referral

HART_SCOPES = (
    "consults:request", "consults:assign", "consults:complete", "consults:enter",
    "consults:share", "consults:status", "consults:read", "consults:break_glass",
    "recusals:assert", "recusals:lift", "recusals:confirm",
    "triage:list", "triage:read", "triage:review",
    "case_flags:create", "case_flags:link", "case_flags:list", "case_flags:read",
    "operations:create", "operations:read", "operations:end",
    "placements:propose", "placements:tell", "placements:confirm",
    "repatriations:determine", "repatriations:permit",
)  # fmt: skip

_KEYS = count()


@dataclass(frozen=True)
class Office:
    """The people of a test, each by token subject, talking to one intake."""

    app: FastAPI | None
    made: Keys
    client: httpx.AsyncClient

    async def post(
        self,
        person: str,
        path: str,
        body: object | None = None,
        *,
        key: str | None = None,
        scopes: Iterable[str] = HART_SCOPES,
        machine: bool = False,
    ) -> httpx.Response:
        """Somebody's POST, with a new Idempotency-Key unless one is given."""
        headers = self.made.bearer(person, scopes, person=not machine)
        headers["Idempotency-Key"] = key or f"hart-{next(_KEYS)}"
        return await self.client.post(path, json=body or {}, headers=headers)

    async def get(self, person: str, path: str) -> httpx.Response:
        headers = self.made.bearer(person, HART_SCOPES, person=True)
        return await self.client.get(path, headers=headers)

    async def receive(self, **fields: Any) -> "Kept":
        """A new referral: its id and its children's."""
        headers = self.made.bearer("phone-system", SCOPES)
        self.client.headers.update(headers)
        answer = await post(self.client, referral(**fields), f"ref-{next(_KEYS)}")
        assert answer.status_code == 201, answer.text
        told = answer.json()
        return Kept(told["referral_id"], [each["child_id"] for each in told["children"]])


@dataclass(frozen=True)
class Kept:
    referral_id: str
    child_ids: list[str]

    def named(self, **fields: Any) -> dict[str, Any]:
        """A body about the first child."""
        return {"referral_id": self.referral_id, "child_id": self.child_ids[0], **fields}


@asynccontextmanager
async def office_of(app: FastAPI, made: Keys) -> AsyncIterator[Office]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield Office(app, made, client)


def wanted_consult(kept: Kept, **fields: Any) -> dict[str, Any]:
    return kept.named(requester="investigator", reasons="An example reason to consult.", **fields)


async def consult(office: Office, kept: Kept, liaison: str = "liaison") -> str:
    """A consult asked for by `investigator` and given to a liaison; its id."""
    answer = await office.post("investigator", "/v1/consults", wanted_consult(kept))
    assert answer.status_code == 201, answer.text
    consult_id: str = answer.json()["consult_id"]
    given = await office.post("lead", f"/v1/consults/{consult_id}/liaisons", {"liaison": liaison})
    assert given.status_code == 201, given.text
    return consult_id


def completion(level: str = "high_risk", **fields: Any) -> dict[str, Any]:
    return {"level": level, "narrative": "An example narrative.", **fields}


def in_future(**delta: float) -> str:
    moment = datetime.now(UTC) + timedelta(**delta)
    return moment.isoformat().replace("+00:00", "Z")


def operation(*named: str, **fields: Any) -> dict[str, Any]:
    return {
        "agency": "Example Police",
        "plan": "An example recovery.",
        "place": "An example place.",
        "expires_at": in_future(hours=6),
        "named": list(named),
        **fields,
    }


def bodies(rows: Iterable[Mapping[str, Any]]) -> str:
    """Everything that events say, as one text."""
    return json.dumps([json.loads(row["body"]) for row in rows])
