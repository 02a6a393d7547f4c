"""What the statistics do not have is the one 404 (P10)."""

import httpx
import pytest
from fastapi import FastAPI

from shared.runtime.db import Database
from tests.support.intake import BASE, Keys
from tests.support.statistics import SCOPES, statistics_app

HERE = "/v1/statistics"


@pytest.fixture
def app(intake_db: Database, intake_keys: Keys) -> FastAPI:
    return statistics_app(intake_db, intake_keys)


@pytest.mark.parametrize(
    "path", ["/releases/0", "/releases/x", "/1999", "/20170", "/releases/1", "/2017", "/nothing"]
)
async def test_what_is_not_there_is_the_one_404(app: FastAPI, intake_keys: Keys, path: str) -> None:
    headers = intake_keys.bearer("a", SCOPES, person=True)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        assert (await client.get(HERE + path)).status_code == 404
