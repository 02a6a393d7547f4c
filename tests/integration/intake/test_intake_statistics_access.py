"""Nobody gets in (P10): every route of the statistics asks for its scope."""

import httpx
import pytest
from fastapi import FastAPI

from services.intake.statistics.api import routes
from shared.runtime.db import Database
from tests.support.intake import BASE, Keys
from tests.support.statistics import SCOPES, statistics_app, statistics_desk

HERE = "/v1/statistics"
EXPORT = f"{HERE}/exports/exp_{'0' * 32}"
ROUTES = [
    ("POST", f"{HERE}/releases", "statistics:release"),
    ("GET", f"{HERE}/releases/1", "statistics:read"),
    ("GET", f"{HERE}/releases/1/tables.csv", "statistics:read"),
    ("GET", f"{HERE}/releases/1/picture.svg", "statistics:read"),
    ("GET", f"{HERE}/releases/1/restatement", "statistics:read"),
    ("POST", f"{HERE}/releases/1/town-rates", "statistics:read"),
    ("GET", f"{HERE}/releases/1/restatement/exact", "statistics:exact"),
    ("POST", f"{HERE}/exports", "statistics:export"),
    ("GET", EXPORT, "statistics:export"),
    ("POST", f"{EXPORT}/approval", "statistics:approve"),
    ("POST", f"{EXPORT}/content", "statistics:export"),
    ("GET", HERE, "statistics:read"),
    ("GET", f"{HERE}/exact", "statistics:exact"),
    ("GET", f"{HERE}/2017", "statistics:read"),
    ("GET", f"{HERE}/2017/exact", "statistics:exact"),
]


@pytest.fixture
def app(intake_db: Database, intake_keys: Keys) -> FastAPI:
    return statistics_app(intake_db, intake_keys)


def test_p10_this_table_names_every_route(intake_db: Database, intake_keys: Keys) -> None:
    only = FastAPI()
    only.include_router(routes(statistics_desk(intake_db, intake_keys)))
    found = only.openapi()["paths"]
    assert sum(len(methods) for methods in found.values()) == len(ROUTES)


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_p10_no_token_is_401_and_a_missing_scope_403(
    app: FastAPI, intake_keys: Keys, method: str, path: str, scope: str
) -> None:
    others = intake_keys.bearer("a", SCOPES - {scope}, person=True)
    mine = intake_keys.bearer("a", [scope], person=True)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        assert (await client.request(method, path)).status_code == 401
        assert (await client.request(method, path, headers=others)).status_code == 403
        assert (await client.request(method, path, headers=mine)).status_code not in (401, 403)


@pytest.mark.parametrize(
    "path", ["/releases/0", "/releases/x", "/1999", "/20170", "/releases/1", "/2017", "/nothing"]
)
async def test_what_is_not_there_is_the_one_404(app: FastAPI, intake_keys: Keys, path: str) -> None:
    headers = intake_keys.bearer("a", SCOPES, person=True)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        assert (await client.get(HERE + path)).status_code == 404
