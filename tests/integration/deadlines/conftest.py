"""The API of deadlines over a real database."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from services.deadlines.api import routes
from services.deadlines.changes.api import change_routes
from services.deadlines.changes.proposing import Changes
from services.deadlines.policy_files import load_calendars
from services.deadlines.report_api import report_routes
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.http import create_app
from tests.support.databases import FreshDatabase
from tests.support.deadlines import POLICIES, REFERRAL, Service, service

ISSUER = "https://issuer.test"
PATH = f"/v1/referrals/{REFERRAL}/clocks"


@dataclass
class Desk:
    """The API over a real database."""

    deadlines: Service
    client: httpx.AsyncClient
    issuer: LocalIssuer

    async def get(
        self, path: str = PATH, scope: str = "clocks:read", agency: str | None = None
    ) -> httpx.Response:
        token = self.issuer.token("worker", [scope], agency=agency)
        return await self.client.get(path, headers={"Authorization": f"Bearer {token}"})

    async def post(
        self,
        path: str,
        body: object,
        scope: str,
        *,
        by: str = "maker",
        agency: str | None = None,
        person: bool = True,
    ) -> httpx.Response:
        token = self.issuer.token(by, [scope], agency=agency, person=person)
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.post(path, json=body, headers=headers)


@pytest.fixture
async def desk(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Desk]:
    key, jwks = tmp_path / "issuer.jwk", tmp_path / "jwks.json"
    keys.make("issuer", key)
    jwks.write_text(json.dumps(keys.jwks(key)))
    deadlines = await service(database.open("deadlines"))
    app = create_app("deadlines under test", TokenVerifier(jwks, ISSUER))
    app.include_router(routes(deadlines.db))
    app.include_router(report_routes(deadlines.db, deadlines.clock))
    changes = Changes(deadlines.db, POLICIES, load_calendars(), deadlines.clock)
    app.include_router(change_routes(deadlines.db, changes))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://deadlines.test") as client:
        yield Desk(deadlines, client, LocalIssuer(key, ISSUER))
