"""What notify's integration tests share."""

from collections.abc import AsyncIterator

import pytest

from tests.support.databases import FreshDatabase
from tests.support.deliveries import World
from tests.support.receiver import Receiver, receiving


@pytest.fixture
async def world(database: FreshDatabase) -> World:
    return World.of(database)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started
