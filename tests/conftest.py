"""Fixtures of every tier. What a test does not ask for is not started."""

from collections.abc import AsyncIterator, Iterator, Mapping

import pytest

from deploy.machine.bootstrap import SchemaDsns
from deploy.machine.kafka import KafkaBroker
from tests.support import brokers, databases
from tests.support.databases import FreshDatabase, TestServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestServer]:
    """The PostgreSQL server of this run, with a migrated template database."""
    with databases.test_server() as server:
        yield server


@pytest.fixture
async def database(postgres: TestServer) -> AsyncIterator[FreshDatabase]:
    """A fresh, migrated database for this test alone."""
    fresh = postgres.new_database()
    yield fresh
    await fresh.close()
    postgres.drop(fresh)


@pytest.fixture
def dsns(database: FreshDatabase) -> Mapping[str, SchemaDsns]:
    """DSNs of the test's database: `dsns["intake"].app`, `dsns["intake"].owner`."""
    return database.dsns


@pytest.fixture(scope="module")
def module_database(postgres: TestServer) -> Iterator[FreshDatabase]:
    """One database for a module whose tests do not disturb each other.

    Close what a test opens on it in that test: `await module_database.close()`.
    """
    fresh = postgres.new_database()
    yield fresh
    postgres.drop(fresh)


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    """The Kafka broker of this run, with every topic; `.bootstrap` is its host:port.

    A test that kills it starts it again before it ends (same ports, same data).
    """
    with brokers.test_broker() as broker:
        yield broker
