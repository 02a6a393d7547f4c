"""Intake over a real PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from services.intake.api import Desk
from services.intake.areas import Areas
from shared.runtime.db import Database
from tests.support.databases import FreshDatabase
from tests.support.hart import Office, office_of
from tests.support.intake import Keys, app_on, client_of, desk_on
from tests.support.intake_process import IntakeProcess, intake_process


@pytest.fixture(scope="session")
def intake_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def intake_db(database: FreshDatabase) -> Database:
    return database.open("intake")


@pytest.fixture
def desk(intake_db: Database, intake_keys: Keys) -> Desk:
    return desk_on(intake_db, intake_keys)


@pytest.fixture
async def client(desk: Desk, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    """The phone system, with every scope."""
    async with client_of(app_on(desk, intake_keys), intake_keys) as client:
        yield client


@pytest.fixture
def process(database: FreshDatabase, intake_keys: Keys, tmp_path: Path) -> Iterator[IntakeProcess]:
    """Intake as a process, not started yet; killed at the end."""
    made = intake_process(database, intake_keys, tmp_path)
    yield made
    made.kill()


@pytest.fixture
async def phone(process: IntakeProcess, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    """The phone system, over the network."""
    headers = intake_keys.bearer()
    async with httpx.AsyncClient(base_url=process.url, headers=headers) as client:
        yield client


@pytest.fixture
def areas(desk: Desk) -> Areas:
    """HART, operations and placements on the test's database."""
    return desk.areas


@pytest.fixture
async def office(desk: Desk, intake_keys: Keys) -> AsyncIterator[Office]:
    """Intake whole, and the people who work with it."""
    async with office_of(app_on(desk, intake_keys), intake_keys) as office:
        yield office
