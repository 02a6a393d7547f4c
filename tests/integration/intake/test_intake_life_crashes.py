"""Calls and decisions when the connection is lost in a commit: done once, and known (P1)."""

from collections.abc import AsyncIterator

import httpx
import pytest

from shared.runtime.db import Database
from shared.runtime.wakes import Wakes
from tests.support.calls import events, opened, rows, saved, send, typed
from tests.support.cutting import Cut, CuttingProxy, cutting_proxy
from tests.support.databases import FreshDatabase
from tests.support.intake import Keys, app_on, client_of, desk_on, post, referral

ACCEPT = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}


@pytest.fixture
async def proxy(database: FreshDatabase) -> AsyncIterator[CuttingProxy]:
    async with cutting_proxy(database.dsns["intake"].app) as proxy:
        yield proxy


@pytest.fixture
async def far(proxy: CuttingProxy, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    """A person at an intake behind the proxy."""
    db = Database.open(proxy.dsn, Wakes(), name="far")
    app = app_on(desk_on(db, intake_keys), intake_keys)
    async with client_of(app, intake_keys, "worker", person=True) as client:
        yield client
    await db.close()


@pytest.mark.parametrize("cut", list(Cut))
async def test_p1_a_call_whose_opening_was_ambiguous_is_opened_once(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database, cut: Cut
) -> None:
    proxy.arm(cut)
    first = await send(far, "/v1/calls", {})
    assert (proxy.cuts, first.status_code) == (1, 201)
    assert (await send(far, "/v1/calls", {})).content == first.content
    assert len(await rows(intake_db, "SELECT call_id FROM intake.calls")) == 1


@pytest.mark.parametrize("cut", list(Cut))
async def test_p1_a_finish_whose_commit_was_ambiguous_makes_one_referral(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database, cut: Cut
) -> None:
    call = await opened(far)
    await saved(far, call, typed())
    proxy.arm(cut)
    first = await send(far, call["links"]["finish"], {})
    assert (proxy.cuts, first.status_code) == (1, 201)
    assert (await send(far, call["links"]["finish"], {})).content == first.content
    assert len(await events(intake_db)) == 1


@pytest.mark.parametrize("cut", list(Cut))
async def test_p1_a_decision_whose_commit_was_ambiguous_is_made_once(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database, cut: Cut
) -> None:
    path = (await post(far, referral())).headers["location"]
    proxy.arm(cut)
    first = await send(far, f"{path}/decisions", ACCEPT, "one")
    assert (proxy.cuts, first.status_code) == (1, 201), first.text
    assert (await send(far, f"{path}/decisions", ACCEPT, "one")).content == first.content
    assert len(await rows(intake_db, "SELECT * FROM intake.decisions")) == 1
    assert len(await rows(intake_db, "SELECT * FROM intake.incidents")) == 1
    assert len(await events(intake_db)) == 2


@pytest.mark.parametrize("cut", list(Cut))
async def test_p2_a_read_of_a_call_whose_commit_was_ambiguous_is_on_record_once(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database, cut: Cut
) -> None:
    call = await opened(far)
    await saved(far, call, {"source_type": "school"})
    proxy.arm(cut)
    why = {"purpose": "finish_call", "authority": "CGS 17a-28(g)"}
    answer = await far.post(f"{call['links']['self']}/readings", json=why)
    assert (proxy.cuts, answer.status_code) == (1, 200)
    assert len(await rows(intake_db, "SELECT * FROM intake.call_views")) == 1
    assert len(await events(intake_db)) == 1


async def test_p2_nothing_of_a_call_is_shown_when_the_record_cannot_be_committed(
    far: httpx.AsyncClient, proxy: CuttingProxy, intake_db: Database
) -> None:
    call = await opened(far)
    await saved(far, call, {"children": [{"name": "Test Child One"}]})
    proxy.arm(Cut.BEFORE, Cut.BEFORE, Cut.BEFORE)
    why = {"purpose": "finish_call", "authority": "CGS 17a-28(g)"}
    answer = await far.post(f"{call['links']['self']}/readings", json=why)
    assert answer.status_code == 503
    assert "Test Child" not in answer.text
    assert await rows(intake_db, "SELECT * FROM intake.call_views") == []
