import asyncio
import tomllib
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from deploy.machine.home import ROOT
from shared.runtime import ops
from shared.runtime.ops import Ages, Readiness, operations


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "_PATIENCE", 0.02)
    monkeypatch.setattr(ops, "_FRESH", 0.0)


async def well() -> None:
    return


async def unwell() -> str:
    return "kek-1.key is missing"


async def failing() -> None:
    raise RuntimeError("Test Child One")


async def hanging() -> None:
    await asyncio.sleep(5)


def oldest(service: str, what: str) -> float | None:
    labels = {"service": service, "what": what}
    return REGISTRY.get_sample_value("hartline_oldest_age_seconds", labels)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async def waiting() -> dict[str, float]:
        return {"outbox": 3.5, "inbox": 0}

    ages = Ages("ops-test")
    ages.add(waiting)
    app = operations("ops-test", Readiness(database=well), ages)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as client:
        yield client


async def test_the_operations_port_answers_without_a_token(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == {"status": "ready", "problems": {}}


async def test_a_scrape_reads_the_oldest_ages(client: httpx.AsyncClient) -> None:
    """P9"""
    answer = await client.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    ages = {
        sample.labels["what"]: sample.value
        for sample in families["hartline_oldest_age_seconds"].samples
        if sample.labels["service"] == "ops-test"
    }
    assert ages == {"outbox": 3.5, "inbox": 0}
    [build] = families["hartline_build_info"].samples[-1:]
    assert build.labels["version"] == version_in_pyproject()
    assert build.labels["python"]


def version_in_pyproject() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


async def test_each_check_that_fails_is_named_and_one_that_hangs_does_not_hang_the_probe() -> None:
    readiness = Readiness(fine=well, ill=unwell, broken=failing, slow=hanging)
    async with asyncio.timeout(1):
        problems = await readiness.problems()
    assert problems.pop("broken").startswith("does not answer: nobody foresaw why")
    assert problems == {
        "ill": "kek-1.key is missing",
        "slow": "does not answer: it hangs, or has too much to do",
    }


async def test_readiness_is_asked_once_for_many_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "_FRESH", 10.0)
    asked = 0

    async def count() -> None:
        nonlocal asked
        asked += 1

    readiness = Readiness()
    readiness.add("count", count)
    await asyncio.gather(*(readiness.problems() for _ in range(10)))
    assert asked == 1


async def test_ages_that_cannot_be_read_stand_still_and_say_so() -> None:
    """P9: the timestamp of the refresh stops, so that an alert can see it."""
    broken = False

    async def waiting() -> dict[str, float]:
        if broken:
            raise ConnectionRefusedError
        return {"outbox": 7.0}

    ages = Ages("ops-broken")
    ages.add(waiting)
    await ages.refresh()
    labels = {"service": "ops-broken"}
    first = REGISTRY.get_sample_value("hartline_ages_refreshed_timestamp_seconds", labels)
    broken = True
    await ages.refresh()
    second = REGISTRY.get_sample_value("hartline_ages_refreshed_timestamp_seconds", labels)
    assert first is not None
    assert first == second
    assert oldest("ops-broken", "outbox") == 7.0


async def test_a_source_that_hangs_delays_a_scrape_by_a_bounded_time() -> None:
    async def hang() -> dict[str, float]:
        await asyncio.sleep(5)
        return {}

    async def negative() -> dict[str, float]:
        return {"clock_skewed": -3.0}

    ages = Ages("ops-hang")
    ages.add(hang)
    ages.add(negative)
    async with asyncio.timeout(1):
        await ages.refresh()
    assert oldest("ops-hang", "clock_skewed") == 0
