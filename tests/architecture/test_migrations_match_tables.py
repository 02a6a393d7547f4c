"""The migrations make exactly the tables that the code declares: `alembic check`, per schema."""

import asyncio
from collections.abc import Iterator

import pytest

from shared.runtime.migrate import SERVICES, check_drift
from tests.support.databases import FreshDatabase, TestServer


@pytest.fixture(scope="module")
def migrated(postgres: TestServer) -> Iterator[FreshDatabase]:
    fresh = postgres.new_database()
    yield fresh
    postgres.drop(fresh)


@pytest.mark.parametrize("schema", SERVICES)
async def test_no_drift(migrated: FreshDatabase, schema: str) -> None:
    await asyncio.to_thread(check_drift, schema, migrated.dsns[schema].owner)
