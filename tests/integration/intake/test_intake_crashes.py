"""Intake when the database or the process goes away at the worst moment (P1, P2)."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text

from shared.runtime.db import Database
from shared.runtime.wakes import Wakes
from tests.support.cutting import Cut, CuttingProxy, cutting_proxy
from tests.support.databases import FreshDatabase
from tests.support.intake import Keys, app_on, client_of, desk_on, patch, post, project, referral

AMENDMENT = {"source_type": "medical"}


@pytest.fixture
async def proxy(database: FreshDatabase) -> AsyncIterator[CuttingProxy]:
    async with cutting_proxy(database.dsns["intake"].app) as proxy:
        yield proxy


@pytest.fixture
async def far(proxy: CuttingProxy, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    """Intake behind the proxy."""
    db = Database.open(proxy.dsn, Wakes(), name="far")
    async with client_of(app_on(desk_on(db, intake_keys), intake_keys), intake_keys) as client:
        yield client
    await db.close()


async def count(db: Database, table: str) -> int:
    async with db.transaction() as session:
        found = await session.scalar(text(f"SELECT count(*) FROM intake.{table}"))
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("cut", list(Cut))
async def test_p1_an_ambiguous_commit_is_read_again_before_it_is_answered(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database, cut: Cut
) -> None:
    body = referral()
    proxy.arm(cut)
    answer = await post(far, body)
    assert proxy.cuts == 1
    assert answer.status_code == 201
    assert (await post(far, body)).content == answer.content
    assert await count(intake_db, "referrals") == await count(intake_db, "outbox") == 1


async def test_p1_an_unknown_outcome_is_never_a_201_and_sending_again_settles_it(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database
) -> None:
    body = referral()
    proxy.arm(Cut.AFTER, Cut.AFTER, Cut.AFTER)
    answer = await post(far, body)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert (await post(far, body)).status_code == 201
    assert await count(intake_db, "referrals") == await count(intake_db, "outbox") == 1


@pytest.mark.parametrize("cut", list(Cut))
async def test_p1_an_amendment_whose_commit_was_ambiguous_is_made_once(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database, cut: Cut
) -> None:
    kept = (await post(far, referral())).json()
    proxy.arm(cut)
    answer = await patch(far, kept["referral_id"], AMENDMENT)
    assert proxy.cuts == 1
    assert answer.status_code == 200
    assert answer.json()["version"] == 2
    assert await count(intake_db, "referral_versions") == await count(intake_db, "outbox") == 2


@pytest.mark.parametrize("cuts", [(Cut.BEFORE,) * 3, (Cut.AFTER,) * 3, (Cut.AFTER,)])
async def test_p1_an_amendment_whose_outcome_is_unknown_is_settled_by_sending_it_again(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database, cuts: tuple[Cut, ...]
) -> None:
    kept = (await post(far, referral())).json()
    proxy.arm(*cuts)
    lost = await patch(far, kept["referral_id"], AMENDMENT, key="amend-1")
    assert lost.status_code == (503 if len(cuts) == 3 else 200)
    again = await patch(far, kept["referral_id"], AMENDMENT, key="amend-1")
    assert (again.status_code, again.json()["version"]) == (200, 2)
    assert again.headers["etag"] == '"2"'
    assert await count(intake_db, "referral_versions") == await count(intake_db, "outbox") == 2


async def test_p1_one_amendment_sent_twice_at_once_is_made_once(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    kept = (await post(client, referral())).json()
    answers = await asyncio.gather(
        *(patch(client, kept["referral_id"], AMENDMENT, key="amend-1") for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await count(intake_db, "referral_versions") == 2


@pytest.mark.parametrize("cut", list(Cut))
async def test_p2_a_read_whose_commit_was_ambiguous_is_on_record_once(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database, cut: Cut
) -> None:
    kept = (await post(far, referral())).json()
    proxy.arm(cut)
    answer = await project(far, kept["referral_id"])
    assert proxy.cuts == 1
    assert answer.status_code == 200
    assert await count(intake_db, "views") == 1
    assert await count(intake_db, "outbox") == 2


async def test_p2_nothing_is_shown_when_the_record_cannot_be_committed(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database
) -> None:
    kept = (await post(far, referral())).json()
    proxy.arm(Cut.BEFORE, Cut.BEFORE, Cut.BEFORE)
    answer = await project(far, kept["referral_id"])
    assert answer.status_code == 503
    assert "Test Child" not in answer.text
    assert await count(intake_db, "views") == 0


async def test_a_migration_under_way_costs_nobody_an_answer(
    client: httpx.AsyncClient, database: FreshDatabase
) -> None:
    """A statement planned before somebody else's DDL fails once; the attempt is made again."""
    kept = (await post(client, referral())).json()
    assert (await client.get(kept["links"]["self"])).status_code == 200
    async with database.open("intake", owner=True).transaction() as session:
        await session.execute(text("ALTER TABLE intake.referrals ALTER version TYPE bigint"))
    assert (await client.get(kept["links"]["self"])).status_code == 200
    assert (await patch(client, kept["referral_id"], AMENDMENT)).status_code == 200
    assert (await project(client, kept["referral_id"], 2)).status_code == 200
    assert (await post(client, referral(), "key-2")).status_code == 201


async def test_a_database_that_is_away_is_a_503_that_says_when_to_try_again(
    intake_keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nowhere = tmp_path_factory.mktemp("pg")
    db = Database.open(f"postgresql://u:p@/d?host={nowhere}", Wakes(), name="nowhere")
    async with client_of(app_on(desk_on(db, intake_keys), intake_keys), intake_keys) as client:
        answers = await asyncio.gather(
            post(client, referral()),
            client.get(f"/v1/referrals/ref_{'0' * 32}"),
        )
    assert [answer.status_code for answer in answers] == [503, 503]
    assert all(answer.headers["retry-after"] == "1" for answer in answers)
    await db.close()
