"""Calls for tests: opened, saved and finished over the API; and what intake wrote meanwhile."""

import json
from typing import Any

import httpx
from sqlalchemy import text

from shared.runtime.db import Database
from tests.support.intake import events_of, referral


async def rows(db: Database, query: str, **values: object) -> list[dict[str, Any]]:
    async with db.transaction() as session:
        found = await session.execute(text(query), values)
        return [dict(row) for row in found.mappings()]


async def events(db: Database) -> list[Any]:
    """Every event in the outbox, as its data, oldest first."""
    return events_of(await rows(db, "SELECT body FROM intake.outbox ORDER BY id"))


async def send(
    client: httpx.AsyncClient, path: str, body: object, key: str = "key-1", **headers: str
) -> httpx.Response:
    """A POST with an Idempotency-Key."""
    sent = {"Idempotency-Key": key, "Content-Type": "application/json"} | headers
    return await client.post(path, content=json.dumps(body).encode(), headers=sent)


async def opened(client: httpx.AsyncClient, key: str = "open", **fields: Any) -> dict[str, Any]:
    answer = await send(client, "/v1/calls", fields, key)
    assert answer.status_code == 201, answer.text
    call: dict[str, Any] = answer.json()
    return call


async def saved(client: httpx.AsyncClient, call: dict[str, Any], draft: object) -> httpx.Response:
    return await client.put(call["links"]["draft"], json=draft)


def typed(**fields: Any) -> dict[str, Any]:
    """Everything that a referral needs and a call does not know by itself."""
    whole = referral(**fields)
    del whole["received_at"]
    return whole
