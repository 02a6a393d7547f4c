"""The process, killed while it sweeps or makes a referral of a call: nothing twice or lost."""

import asyncio
import signal
from contextlib import suppress
from typing import Any

import httpx
import pytest

from shared.contracts.referrals import CallAbandoned, ReferralReceived
from shared.runtime.db import Database
from tests.support.calls import events, opened, rows, saved, send, typed
from tests.support.intake import Keys, post, referral
from tests.support.intake_process import IntakeProcess

pytestmark = pytest.mark.slow


async def age(db: Database) -> None:
    """An hour passes for every call."""
    await rows(db, "UPDATE intake.calls SET saved_at = saved_at - interval '1h' RETURNING call_id")


async def until_found(db: Database, query: str) -> list[dict[str, Any]]:
    for _ in range(600):
        if found := await rows(db, query):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"nothing came of it: {query}")


async def until_scraped(client: httpx.AsyncClient, url: str, line: str) -> None:
    """A busy machine may not read the ages in time at once."""
    for _ in range(100):
        if line in (await client.get(url)).text:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"never scraped: {line}")


@pytest.mark.parametrize(
    ("failpoint", "told"), [("intake.sweep.before_commit", 0), ("intake.sweep.after_commit", 1)]
)
async def test_p1_killed_while_it_sweeps_an_abandoned_call_is_told_once(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database, failpoint: str, told: int
) -> None:
    await process.start()
    call = await opened(phone)
    process.arm(failpoint)
    await age(intake_db)
    assert await process.died() == -signal.SIGKILL
    assert len(await events(intake_db)) == told
    await process.start()
    await until_found(intake_db, "SELECT call_id FROM intake.calls WHERE abandoned_at IS NOT NULL")
    (event,) = await events(intake_db)
    assert isinstance(event, CallAbandoned)
    assert event.call_id == call["call_id"]


@pytest.mark.parametrize(
    ("failpoint", "kept"), [("intake.before_commit", 0), ("intake.after_commit", 1)]
)
async def test_p1_killed_while_a_call_becomes_a_referral_the_same_key_finds_it(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database, failpoint: str, kept: int
) -> None:
    await process.start()
    call = await opened(phone)
    await saved(phone, call, typed())
    process.arm(failpoint)
    with pytest.raises(httpx.TransportError):
        await send(phone, call["links"]["finish"], {})
    await process.died()
    assert len(await events(intake_db)) == kept
    await process.start()
    answers = [await send(phone, call["links"]["finish"], {}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert [type(event) for event in await events(intake_db)] == [ReferralReceived]


@pytest.mark.parametrize("failpoint", ["intake.once.before_commit", "intake.once.after_commit"])
async def test_p1_killed_around_the_commit_of_an_opening_the_same_key_finds_one_call(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database, failpoint: str
) -> None:
    await process.start()
    process.arm(failpoint)
    with pytest.raises(httpx.TransportError):
        await send(phone, "/v1/calls", {})
    await process.died()
    await process.start()
    answers = [await send(phone, "/v1/calls", {}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert len(await rows(intake_db, "SELECT call_id FROM intake.calls")) == 1


@pytest.mark.parametrize(
    ("failpoint", "kept"), [("intake.call.before_commit", 0), ("intake.call.after_commit", 1)]
)
async def test_killed_while_it_keeps_what_was_typed_a_call_is_saved_again(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database, failpoint: str, kept: int
) -> None:
    await process.start()
    call = await opened(phone)
    process.arm(failpoint)
    with pytest.raises(httpx.TransportError):
        await saved(phone, call, typed())
    await process.died()
    assert await rows(intake_db, "SELECT version FROM intake.calls") == [{"version": kept}]
    await process.start()
    assert (await saved(phone, call, typed())).json()["version"] == kept + 1


@pytest.mark.parametrize(
    ("failpoint", "kept"),
    [("intake.incident.before_commit", 1), ("intake.incident.after_commit", 2)],
)
async def test_killed_while_it_amends_a_form_the_same_patch_makes_one_version(
    process: IntakeProcess,
    phone: httpx.AsyncClient,
    intake_db: Database,
    intake_keys: Keys,
    failpoint: str,
    kept: int,
) -> None:
    await process.start()
    path = (await post(phone, referral())).headers["location"]
    phone.headers.update(intake_keys.bearer("worker", person=True))
    accepted = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}
    assert (await send(phone, f"{path}/decisions", accepted)).status_code == 201
    process.arm(failpoint)
    (form,) = await rows(intake_db, "SELECT incident_id FROM intake.incidents")
    with pytest.raises(httpx.TransportError):
        await amended(phone, form["incident_id"], 1)
    await process.died()
    versions = "SELECT version FROM intake.incident_versions"
    assert len(await rows(intake_db, versions)) == kept
    await process.start()
    assert (await amended(phone, form["incident_id"], kept)).status_code == 200
    assert len(await rows(intake_db, versions)) == 2


async def amended(phone: httpx.AsyncClient, incident_id: str, version: int) -> httpx.Response:
    return await phone.patch(
        f"/v1/critical-incidents/{incident_id}",
        content=b'{"legal_status": "example"}',
        headers={"Content-Type": "application/merge-patch+json", "If-Match": f'"{version}"'},
    )


@pytest.mark.parametrize("failpoint", ["intake.index.before_commit", "intake.index.after_commit"])
async def test_killed_while_it_indexes_it_finds_each_pair_once(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database, failpoint: str
) -> None:
    await process.start("api")
    for key in ("one", "two"):
        await post(phone, referral(), key)
    assert await process.stop() == 0
    process.arm(failpoint)
    with suppress(AssertionError):
        await process.start("sweep")  # It may die before it is ready, or just after.
    assert await process.died() == -signal.SIGKILL
    await process.start("sweep")
    assert len(await until_found(intake_db, "SELECT because FROM intake.candidates")) == 1
    assert len(await rows(intake_db, "SELECT child_id FROM intake.people")) == 2


async def test_the_sweep_alone_indexes_what_the_api_alone_has_kept(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database
) -> None:
    await process.start("api")
    for key in ("one", "two"):
        assert (await post(phone, referral(), key)).status_code == 201
    assert await process.stop() == 0
    assert await rows(intake_db, "SELECT child_id FROM intake.people") == []
    await process.start("sweep")
    assert len(await until_found(intake_db, "SELECT because FROM intake.candidates")) == 1
    for what in ("call", "call_abandoned", "unindexed"):
        await until_scraped(
            phone,
            f"{process.ops_url}/metrics",
            f'hartline_oldest_age_seconds{{service="intake",what="{what}"}} 0.0',
        )
    assert await process.stop() == 0
