"""What notify's integration tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.databases import FreshDatabase
from tests.support.deliveries import World
from tests.support.mailboxes import Post, posting
from tests.support.receiver import Receiver, receiving


@pytest.fixture
async def world(database: FreshDatabase) -> World:
    return World.of(database)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


@pytest.fixture
async def post(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Post]:
    """The police of Ansonia have no IT staff: they are told by a pointer."""
    async with posting(database, tmp_path, municipal_police={"channel": "pickup"}) as opened:
        yield opened
