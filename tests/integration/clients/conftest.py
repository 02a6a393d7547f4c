"""The Python client against intake as a process, with a faulty network between them."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hartline_careline import Careline, NewReferral, Patience, Reporting, Spool

from tests.support.databases import FreshDatabase
from tests.support.faulty import Faulty, faulty
from tests.support.intake import Keys, referral
from tests.support.intake_process import IntakeProcess, intake_process

SPOOL_KEY = bytes(range(32))


@pytest.fixture(scope="session")
def intake_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def intake(
    module_database: FreshDatabase, intake_keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[IntakeProcess]:
    process = intake_process(module_database, intake_keys, tmp_path_factory.mktemp("intake"))
    try:
        asyncio.run(process.start("api"))
        yield process
    finally:
        process.kill()


@pytest.fixture
def network(intake: IntakeProcess) -> Iterator[Faulty]:
    with faulty(intake.url) as told:
        yield told


@pytest.fixture
def slept() -> list[float]:
    """What the client would have slept."""
    return []


@pytest.fixture
def careline(network: Faulty, intake_keys: Keys, slept: list[float]) -> Iterator[Careline]:
    """It does not really sleep, and its clock takes that into account."""
    with Careline(
        network.url,
        token_of(intake_keys),
        patience=Patience(attempt=0.5, total=4.0),
        sleep=slept.append,
        clock=lambda: time.monotonic() + sum(slept),
    ) as client:
        yield client


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", SPOOL_KEY)


@pytest.fixture
def reporting(careline: Careline, spool: Spool) -> Reporting:
    return Reporting(careline, spool)


class token_of:  # noqa: N801
    """A token for each attempt."""

    def __init__(self, keys: Keys, *scopes: str) -> None:
        self._keys = keys
        self._scopes = scopes

    def __call__(self) -> str:
        given = (self._scopes,) if self._scopes else ()
        return self._keys.bearer("phone-system", *given)["Authorization"].removeprefix("Bearer ")


def new_referral(name: str = "Test Child One") -> NewReferral:
    made = referral(synthetic=True)
    made["children"][0]["name"] = name
    return made  # type: ignore[return-value]
