"""What notify asks of intake, against the real intake and against one that misbehaves."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.notify.planning.intake_client import SCOPES, HttpIntake, Projection
from services.notify.routing.rulebook import load_rulebook, profiles
from shared.contracts.codes import HtType, Trigger
from shared.runtime.auth import LocalIssuer
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.ids import new_id
from shared.runtime.internal_http import InternalClient
from tests.support import intake as support
from tests.support.databases import FreshDatabase
from tests.support.exchange import InProcess

REFERRAL, CHILD = new_id("ref"), new_id("chd")
ANSWER: dict[str, Any] = {
    "referral_id": REFERRAL,
    "number": "HL-TEST-0001",
    "version": 1,
    "trigger": "careline",
    "received_at": "2026-03-03T14:00:00Z",
    "synthetic": False,
    "children": [
        {
            "child_id": CHILD,
            "facts": {"ht_type": "sex", "residence_town": None, "incident_towns": []},
            "copies": {"hart": {"name": "CANARY7"}},
        }
    ],
}


def _intake(transport: httpx.AsyncBaseTransport, token: Callable[[], str]) -> HttpIntake:
    exchange = InProcess(transport, support.BASE)
    client = InternalClient("intake", support.BASE, token, seconds=2, exchange=exchange)
    return HttpIntake(client)


async def test_the_real_intake_gives_facts_and_a_copy_per_profile_and_records_the_read(
    database: FreshDatabase, tmp_path: Path
) -> None:
    made = support.Keys.make(tmp_path)
    db = database.open("intake")
    app = support.app_on(support.desk_on(db, made), made)
    async with support.client_of(app, made) as phone:
        kept = (await support.post(phone, support.referral())).json()
    issuer = LocalIssuer(made.issuer_key, support.ISSUER)
    intake = _intake(httpx.ASGITransport(app), lambda: issuer.token("notify", SCOPES))
    wanted = profiles(load_rulebook(), Trigger.CARELINE)
    projection = await intake.project(kept["referral_id"], 1, wanted)
    assert projection.number == kept["number"]
    (child,) = projection.children
    assert child.routing.child_id == kept["children"][0]["child_id"]
    assert (child.routing.ht_type, child.routing.residence_town) == (HtType.SEX, "Ansonia")
    assert child.routing.incident_towns == {"Hartford"}
    assert set(child.copies) == set(wanted)
    assert child.copies["law_enforcement"]["name"] == "Test Child One"
    async with db.transaction() as session:
        views = await session.execute(text("SELECT actor, purpose FROM intake.views"))
        assert [(row.actor, row.purpose) for row in views] == [
            ("notify", "Notification by DCF-737")
        ]
    with pytest.raises(Permanent):
        await intake.project(kept["referral_id"], 2, wanted)


async def test_p2_versions_asked_for_together_come_as_alone_and_one_that_is_not_there_fails_alone(
    database: FreshDatabase, tmp_path: Path
) -> None:
    made = support.Keys.make(tmp_path)
    db = database.open("intake")
    app = support.app_on(support.desk_on(db, made), made)
    async with support.client_of(app, made) as phone:
        kept = [
            (await support.post(phone, support.referral(), f"key-{number}")).json()["referral_id"]
            for number in range(6)
        ]
    issuer = LocalIssuer(made.issuer_key, support.ISSUER)
    intake = _intake(httpx.ASGITransport(app), lambda: issuer.token("notify", SCOPES))
    asked = [*((each, 1) for each in kept), (kept[0], 9)]
    *found, missing = await asyncio.gather(
        *(intake.project(*each, ["hart"]) for each in asked), return_exceptions=True
    )
    assert [isinstance(each, Projection) and each.referral_id for each in found] == kept
    assert isinstance(missing, Permanent)
    async with db.transaction() as session:
        seen = await session.scalars(text("SELECT referral_id FROM intake.views"))
    assert sorted(seen) == sorted(kept)


async def test_an_intake_that_does_not_know_several_yet_is_asked_for_each_alone() -> None:
    """The older version, while processes are replaced one by one."""

    def older(request: httpx.Request) -> httpx.Response:
        together = request.url.path == "/internal/v1/projections"
        return httpx.Response(404) if together else httpx.Response(200, json=ANSWER)

    intake = _intake(httpx.MockTransport(older), lambda: "token")
    found = await asyncio.gather(*(intake.project(REFERRAL, 1, ["hart"]) for _ in range(5)))
    assert [each.referral_id for each in found] == [REFERRAL] * 5


def _answering(answer: httpx.Response) -> HttpIntake:
    return _intake(httpx.MockTransport(lambda _: answer), lambda: "token")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_what_may_pass_is_tried_again(status: int) -> None:
    with pytest.raises(Retryable):
        await _answering(httpx.Response(status)).project(REFERRAL, 1, ["hart"])


@pytest.mark.parametrize("status", [302, 404, 422])
async def test_what_will_not_pass_parks_the_subject(status: int) -> None:
    with pytest.raises(Permanent):
        await _answering(httpx.Response(status)).project(REFERRAL, 1, ["hart"])


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"referral_id": new_id("ref")},
        {"children": [{**ANSWER["children"][0], "copies": {}}]},
        {"children": [{**ANSWER["children"][0], "copies": {"hart": {}, "mdt": {}}}]},
        {"children": [{**ANSWER["children"][0], "child_id": "CANARY7"}]},
        {"trigger": "CANARY7"},
        {"received_at": "2026-03-03T14:00:00"},
        {"number": None},
    ],
)
async def test_p5_another_answer_than_asked_for_is_refused_without_repeating_it(
    change: dict[str, Any],
) -> None:
    intake = _answering(httpx.Response(200, json=ANSWER | change))
    with pytest.raises(Permanent) as caught:
        await intake.project(REFERRAL, 1, ["hart"])
    assert "CANARY7" not in repr(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


async def test_unknown_fields_are_ignored_so_that_intake_may_grow() -> None:
    intake = _answering(httpx.Response(200, json=ANSWER | {"new": 1}))
    assert (await intake.project(REFERRAL, 1, ["hart"])).number == "HL-TEST-0001"
