"""Intake for tests: its API over a real database, with keys of its own and no bus."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from services.intake.api import Desk
from services.intake.keyed import Keyed
from services.intake.models import OUTBOX
from services.intake.wiring import add_routes, make_desk
from shared.contracts.base import Event, Source
from shared.contracts.registry import parse_data
from shared.messaging.outbox import Outbox
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.db import Database
from shared.runtime.http import create_app

ISSUER = "https://issuer.test"
SCOPES = (
    *("referrals:create", "referrals:amend", "referrals:status", "referrals:niem"),
    "internal:projections",
    *("decisions:write", "decisions:status", "decisions:read", "incidents:amend"),
    *("referrals:withdraw", "referrals:link", "children:match"),
    *("calls:write", "calls:status", "calls:close", "calls:read"),
)
BASE = "http://intake.test"


@dataclass(frozen=True)
class Keys:
    """Files that intake reads: its keys, and the issuer's public half."""

    directory: Path
    issuer_key: Path
    jwks: Path

    @classmethod
    def make(cls, home: Path) -> "Keys":
        directory = home / "intake"
        directory.mkdir(parents=True)
        keys.make("kek", directory / "kek-1.key")
        keys.make("hmac", directory / "commitment-1.key")
        keys.make("hmac", directory / "idempotency-1.key")
        keys.make("hmac", directory / "matching-1.key")
        keys.make("hmac", directory / "statistics-1.key")
        issuer_key, jwks = home / "issuer.jwk", home / "jwks.json"
        keys.make("issuer", issuer_key)
        jwks.write_text(json.dumps(keys.jwks(issuer_key)))
        return cls(directory, issuer_key, jwks)

    def bearer(
        self,
        subject: str = "phone-system",
        scopes: Iterable[str] = SCOPES,
        *,
        person: bool = False,
    ) -> dict[str, str]:
        token = LocalIssuer(self.issuer_key, ISSUER).token(subject, scopes, person=person)
        return {"Authorization": f"Bearer {token}"}


def desk_on(db: Database, made: Keys) -> Desk:
    """Intake's units of work on a database."""
    return make_desk(db, Outbox(OUTBOX, Source.INTAKE), Keyed.load(made.directory))


def app_on(desk: Desk, made: Keys) -> FastAPI:
    app = create_app("intake under test", TokenVerifier(made.jwks, ISSUER))
    add_routes(app, desk)
    return app


@asynccontextmanager
async def client_of(
    app: ASGIApp, made: Keys, subject: str = "phone-system", *, person: bool = False
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    headers = made.bearer(subject, person=person)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        yield client


def child(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Test Child One",
        "age_years": 15,
        "sex": "female",
        "residence_town": "Ansonia",
        "incident_towns": ["Hartford"],
        "ht_type": "sex",
        "reasons_for_suspicion": "An example reason.",
    } | fields


def referral(**fields: Any) -> dict[str, Any]:
    return {
        "trigger": "careline",
        "received_at": datetime.now(UTC).replace(microsecond=0).isoformat(),
        "source_type": "school",
        "reporter": {"anonymous": False, "name": "Example Person"},
        "children": [child()],
    } | fields


async def post(
    client: httpx.AsyncClient, body: object, key: str = "key-1", **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Idempotency-Key": key, "Content-Type": "application/json"} | headers
    return await client.post("/v1/referrals", content=content, headers=sent)


async def patch(
    client: httpx.AsyncClient,
    referral_id: str,
    body: object,
    etag: str | None = '"1"',
    key: str | None = None,
) -> httpx.Response:
    headers = {"Content-Type": "application/merge-patch+json"}
    if key is not None:
        headers["Idempotency-Key"] = key
    if etag is not None:
        headers["If-Match"] = etag
    content = json.dumps(body).encode()
    return await client.patch(f"/v1/referrals/{referral_id}", content=content, headers=headers)


async def project(
    client: httpx.AsyncClient, referral_id: str, version: int = 1, *profiles: str
) -> httpx.Response:
    return await client.post(
        f"/internal/v1/referrals/{referral_id}/versions/{version}/projections",
        json={
            "profiles": profiles or ("law_enforcement",),
            "purpose": "notice",
            "authority": "CGS 17a-101b(c)",
        },
    )


def events_of(rows: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Outbox rows as typed event data, checked as CloudEvents."""
    return [parse_data(Event.model_validate_json(row["body"])) for row in rows]
