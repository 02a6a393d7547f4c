"""What an agency was called when it was told, for the accounting."""

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert

from services.notify.directory import tables as directory_tables
from services.notify.directory.names_api import names_router
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.http import create_app
from shared.runtime.ids import new_id
from tests.support.deliveries import World

ISSUER = "https://issuer.test"
PATH = "/internal/v1/agencies/names"


@pytest.fixture
def issuer(tmp_path: Path) -> LocalIssuer:
    keys.make("issuer", tmp_path / "issuer.jwk")
    (tmp_path / "jwks.json").write_text(json.dumps(keys.jwks(tmp_path / "issuer.jwk")))
    return LocalIssuer(tmp_path / "issuer.jwk", ISSUER)


@pytest.fixture
async def client(
    world: World, issuer: LocalIssuer, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("notify under test", TokenVerifier(tmp_path / "jwks.json", ISSUER))
    app.include_router(names_router(world.db))
    headers = {"Authorization": f"Bearer {issuer.token('audit', ['internal:agency-names'])}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://notify.test", headers=headers
    ) as client:
        yield client


async def renamed(world: World) -> str:
    """An agency that was renamed on the first of June, by version 2 of the directory."""
    agency = await world.agency("http://127.0.0.1:9/none", name="Example Agency Now")
    then = {"kind": "fbi", "name": "Example Agency Then", "profile": "law_enforcement"}
    terms = (1, date(2026, 1, 1), then), (2, date(2026, 6, 1), {"name": "Example Agency Now"})
    async with world.db.transaction() as session:
        for version, day, fields in terms:
            row = {"agency_id": agency, "version": version, "valid_from": day, "fields": fields}
            await session.execute(insert(directory_tables.agency_terms), [row])
    return agency


async def test_an_agency_has_the_name_that_it_had_when_it_was_told(
    world: World, client: httpx.AsyncClient
) -> None:
    agency = await renamed(world)
    asked = [
        {"agency_id": agency, "directory_version": 1, "at": "2026-07-01T12:00:00Z"},
        {"agency_id": agency, "directory_version": 2, "at": "2026-07-01T12:00:00Z"},
        {"agency_id": agency, "directory_version": 2, "at": "2026-06-01T03:59:00Z"},
        {"agency_id": new_id("agy"), "at": "2026-05-31T12:00:00Z"},
    ]
    answer = await client.post(PATH, json={"told": asked})
    assert answer.json()["names"] == [
        "Example Agency Then",
        "Example Agency Now",
        "Example Agency Then",
        None,
    ]


async def test_p10_only_a_service_with_the_scope_may_ask(
    client: httpx.AsyncClient, issuer: LocalIssuer
) -> None:
    for token, status in (
        (issuer.token("audit", ["notices:read"]), 403),
        (issuer.token("x", ["internal:agency-names"], agency=new_id("agy")), 403),
    ):
        headers = {"Authorization": f"Bearer {token}"}
        answer = await client.post(PATH, json={"told": []}, headers=headers)
        assert answer.status_code == status
