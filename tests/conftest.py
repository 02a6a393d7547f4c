"""Fixtures of every tier. What a test does not ask for is not started."""

import os
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import Any

import pytest

from deploy.machine.bootstrap import SchemaDsns
from deploy.machine.kafka import KafkaBroker
from tests.support import brokers, databases
from tests.support.databases import FreshDatabase, TestServer

REAL = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REAL] = []


_LONGEST_FIRST = ("e2e", "integration", "contract", "unit", "architecture")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On workers of pytest-xdist: a file of minutes that begins last is waited for by everybody.

    It hands files out in this order; by its own it would begin with those of the most tests.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place(item.path.relative_to(config.rootpath).parts))


def _place(parts: tuple[str, ...]) -> int:
    tier = parts[1] if len(parts) > 2 else ""
    return _LONGEST_FIRST.index(tier) if tier in _LONGEST_FIRST else len(_LONGEST_FIRST)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker of pytest-xdist has used; each has servers of its own."""
    node.config.stash[REAL].extend(getattr(node, "workeroutput", {}).get("real", []))


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["real"] = session.config.stash[REAL]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true nothing may be skipped."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"Skipped, which CI=true does not allow: {report.longrepr}"
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Which real servers this run has used; what it could not run stands above, with why."""
    terminalreporter.section("real parts used")
    used: list[str] = config.stash[REAL]
    for part in sorted(set(used)) or ["none"]:
        terminalreporter.line(part)


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[TestServer]:
    """The PostgreSQL server of this run, with a migrated template database."""
    with databases.test_server() as server:
        pytestconfig.stash[REAL].append(server.describe())
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
def kafka(pytestconfig: pytest.Config) -> Iterator[KafkaBroker]:
    """The Kafka broker of this run, with every topic; `.bootstrap` is its host:port.

    A test that kills it starts it again before it ends (same ports, same data).
    """
    with brokers.test_broker() as broker:
        pytestconfig.stash[REAL].append(brokers.describe(broker))
        yield broker
