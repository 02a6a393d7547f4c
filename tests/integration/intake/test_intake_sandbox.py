"""In a sandbox every referral is a test, whichever way it comes in."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from services.intake.keyed import Keyed
from services.intake.models import OUTBOX
from services.intake.wiring import make_desk
from shared.contracts.base import Source
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from tests.support.calls import opened, saved, send, typed
from tests.support.intake import Keys, app_on, client_of, post, referral

Way = Callable[[httpx.AsyncClient, bool], Awaitable[httpx.Response]]


@pytest.fixture
async def sandbox(intake_db: Database, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    outbox = Outbox(OUTBOX, Source.INTAKE)
    desk = make_desk(intake_db, outbox, Keyed.load(intake_keys.directory), sandbox=True)
    async with client_of(app_on(desk, intake_keys), intake_keys) as client:
        yield client


async def _directly(client: httpx.AsyncClient, synthetic: bool) -> httpx.Response:
    return await post(client, referral(synthetic=synthetic), "direct")


async def _by_call(client: httpx.AsyncClient, synthetic: bool) -> httpx.Response:
    return await send(client, "/v1/calls", {"synthetic": synthetic}, "call")


async def _by_allegation(client: httpx.AsyncClient, synthetic: bool) -> httpx.Response:
    origin = await post(
        client, referral(trigger="ongoing_worker", synthetic=True), f"origin-{synthetic}"
    )
    path = f"/v1/referrals/{origin.json()['referral_id']}/allegations"
    return await send(client, path, referral(synthetic=synthetic), "new")


@pytest.mark.parametrize("way", [_directly, _by_call, _by_allegation])
async def test_a_sandbox_takes_tests_and_refuses_a_real_referral_by_name(
    sandbox: httpx.AsyncClient, way: Way
) -> None:
    refused = await way(sandbox, False)
    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == ["#/synthetic"]
    assert (await way(sandbox, True)).status_code == 201


async def test_a_sandboxs_refusal_says_whom_to_ring(sandbox: httpx.AsyncClient) -> None:
    refused = await _directly(sandbox, False)
    assert "800-842-2288" in refused.json()["errors"][0]["detail"]


async def test_a_test_call_becomes_a_test_referral(sandbox: httpx.AsyncClient) -> None:
    call = await opened(sandbox, synthetic=True)
    whole = typed()
    whole.pop("synthetic", None)
    assert (await saved(sandbox, call, whole)).status_code == 200
    assert (await send(sandbox, call["links"]["finish"], {}, "finish")).status_code == 201


async def test_elsewhere_a_real_referral_is_taken(client: httpx.AsyncClient) -> None:
    assert (await _directly(client, False)).status_code == 201
