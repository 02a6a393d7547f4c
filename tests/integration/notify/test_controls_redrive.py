"""Redrive: what is sent again, recorded as what it is, and who must agree to it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.notify import areas
from services.notify.controls import redrive_store
from services.notify.controls.redrive_api import redrive_router
from services.notify.controls.redrives import Sort, sort
from services.notify.controls.redriving import carry_on
from services.notify.fates import PlannedFate, fate_of
from services.notify.leg_store import legs_of
from services.notify.planning.plan import DeliveryState
from services.notify.proposals.api import proposal_router
from services.notify.wiring import PROPOSABLES
from shared.contracts.codes import RefusalReason
from shared.contracts.disclosures import DisclosuresAttempted, DisclosuresRefused
from shared.contracts.notices import NoticesDelivered, NoticesRefused
from shared.runtime.ids import new_id, utc_now
from tests.support.deliveries import World, eventually
from tests.support.desks import Desk, desk_of
from tests.support.receiver import Receiver, answer

_ASSERT = text(
    "INSERT INTO notify.conflicts (conflict_id, assertion_id, referral_id, agency_id, ground, "
    "asserted_by, asserted_at) VALUES ('c', 'a', :referral, :agency, 'recusal', 'worker', now())"
)
SCOPES = "controls:read controls:redrive proposals:read proposals:decide"


@pytest.fixture
async def desk(world: World, tmp_path: Path) -> AsyncIterator[Desk]:
    routers = [redrive_router(world.db), proposal_router(world.db, PROPOSABLES)]
    async with desk_of(routers, SCOPES, tmp_path) as made:
        yield made


def wanted(agency_id: str, **changes: Any) -> dict[str, Any]:
    now = utc_now()
    return {
        "agency_id": agency_id,
        "planned_from": (now - timedelta(hours=1)).isoformat(),
        "planned_until": (now + timedelta(hours=1)).isoformat(),
        "delivered_too": True,
        "reason": "They lost a day's records.",
    } | changes


async def all_in(world: World, *states: str) -> bool:
    return set(await world.states()) <= set(states)


async def progress(desk: Desk, redrive_id: str) -> tuple[int, int, int]:
    found = (await desk.get(f"/v1/redrives/{redrive_id}")).json()
    return found["accepted"], found["left"], found["open"]


async def fate(world: World) -> PlannedFate:
    async with world.db.transaction() as session:
        (leg,) = await legs_of(session, world.referral_id, None)
    return fate_of(leg)


async def over(world: World, desk: Desk, redrive_id: str) -> bool:
    await carry_on(world.db)
    return (await desk.get(f"/v1/redrives/{redrive_id}")).json()["finished_at"] is not None


async def test_a_delivered_notice_is_disclosed_again_under_the_same_webhook_id(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    agency = await world.agency(receiver.url)
    notices = await world.notices(agency, 3)
    async with world.delivering():
        await eventually(lambda: all_in(world, "delivered"))
        made = await desk.post("/v1/redrives", wanted(agency))
        assert made.status_code == 201
        redrive_id = made.json()["redrive"]["redrive_id"]
        await eventually(lambda: over(world, desk, redrive_id))
    assert await progress(desk, redrive_id) == (3, 0, 0)
    assert sorted(receiver.notice_ids) == sorted(notices * 2)
    for notice in notices:
        assert await world.facts(notice) == ["completed:200", "completed:200"]
    events = await world.events(DisclosuresAttempted)
    assert sum(len(each.attempts) for each in events) == 6, "each is recorded as a disclosure"
    delivered = await world.events(NoticesDelivered)
    assert sum(len(each.notices) for each in delivered) == 3, "and met its duty once"


async def test_a_dry_run_counts_and_sends_nothing(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    agency = await world.agency(receiver.url)
    await world.notices(agency, 2, state="delivered", delivered_at=utc_now())
    await world.notice(agency)
    await world.notice(agency, state="superseded")
    looked = await desk.post("/v1/redrives?dry_run=true", wanted(agency))
    assert (looked.status_code, looked.json()) == (
        200,
        {
            "found": {"waiting": 1, "delivered": 2, "left": 1, "takes_two": False},
            "redrive": None,
            "proposal_id": None,
        },
    )
    assert (await desk.get("/v1/redrives")).json() == {"redrives": []}


async def test_without_delivered_too_only_what_waits_is_tried_now(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    agency = await world.agency(receiver.url)
    done = await world.notice(agency, state="delivered", delivered_at=utc_now())
    later = utc_now() + timedelta(hours=1)
    waits = await world.notice(agency, attempts=9, next_attempt_at=later)
    made = await desk.post("/v1/redrives", wanted(agency, delivered_too=False))
    async with world.delivering():
        await eventually(lambda: over(world, desk, made.json()["redrive"]["redrive_id"]))
    assert receiver.notice_ids == [waits]
    assert await world.facts(done) == []


async def test_what_is_not_accepted_again_is_tried_again_until_it_is(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency, state="delivered", delivered_at=utc_now())
    receiver.script = [answer(503)]
    redrive_id = (await desk.post("/v1/redrives", wanted(agency))).json()["redrive"]["redrive_id"]
    async with world.delivering():
        await carry_on(world.db)
        await eventually(lambda: all_in(world, "delivered"))
        await carry_on(world.db)
        assert await progress(desk, redrive_id) == (0, 0, 1)
        async with world.db.transaction() as session:
            later = utc_now() + timedelta(seconds=61)
            assert await redrive_store.step(session, redrive_id, 10, later, permitted=True) == 1
        # Its clock was ahead: what is attempted before that counts for nothing.
        await eventually(lambda: twice(world, notice))
    assert await world.facts(notice) == ["completed:503", "completed:200"]


async def twice(world: World, notice_id: str) -> bool:
    await world.make_due(notice_id)
    return len([each for each in await world.facts(notice_id) if each]) == 2


async def test_many_notices_take_two_people(world: World, receiver: Receiver, desk: Desk) -> None:
    agency = await world.agency(receiver.url)
    await world.notices(agency, 51, state="delivered", delivered_at=utc_now())
    asked = await desk.post("/v1/redrives", wanted(agency))
    assert asked.status_code == 202
    assert (await desk.get("/v1/redrives")).json() == {"redrives": []}
    proposal_id = asked.json()["proposal_id"]
    for first_again in ("maker", "maker ", "Maker", "ma\u043aer"):
        assert (await desk.approve(proposal_id, first_again)).status_code == 403
    assert (await desk.approve(proposal_id, "checker")).status_code == 200
    (job,) = (await desk.get("/v1/redrives")).json()["redrives"]
    assert (job["listed"], job["asked_by"], job["proposal_id"]) == (51, "maker", proposal_id)


async def test_many_notices_in_parts_take_two_people_too(world: World, desk: Desk) -> None:
    """Each part is few enough for one person; at once or one after another, together they are not.

    Another agency's are counted for themselves.
    """
    agency, other = [await world.agency("http://127.0.0.1:9/") for _ in range(2)]
    for each in (agency, other):
        await world.notices(each, 30, state="delivered", delivered_at=utc_now())
    asked = [desk.post("/v1/redrives", wanted(agency)) for _ in range(2)]
    assert sorted(each.status_code for each in await asyncio.gather(*asked)) == [201, 202]
    looked = await desk.post("/v1/redrives?dry_run=true", wanted(agency), "another")
    assert looked.json()["found"]["takes_two"] is True
    assert (await desk.post("/v1/redrives", wanted(other))).status_code == 201


async def test_more_than_was_agreed_to_is_another_proposal(world: World, desk: Desk) -> None:
    agency = await world.agency("http://127.0.0.1:9/")
    await world.notices(agency, 51, state="delivered", delivered_at=utc_now())
    asked = (await desk.post("/v1/redrives", wanted(agency))).json()
    await world.notice(agency, state="delivered", delivered_at=utc_now())
    assert (await desk.approve(asked["proposal_id"])).status_code == 409


async def test_p3_what_may_not_be_sent_today_is_left(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency, state="delivered", delivered_at=utc_now())
    conflicted = await world.notice(
        agency, referral_id=new_id("ref"), state="delivered", delivered_at=utc_now()
    )
    row = await world.delivery(conflicted)
    async with world.db.transaction() as session:
        await session.execute(_ASSERT, {"referral": row.referral_id, "agency": agency})
    older = await world.child_of(notice)
    await world.notice(agency, child_id=older, version=2, state="delivered")
    found = (await desk.post("/v1/redrives?dry_run=true", wanted(agency))).json()["found"]
    assert (found["delivered"], found["left"]) == (1, 2), "the newest version alone"
    await world.change_agency(agency, authority=None)
    found = (await desk.post("/v1/redrives?dry_run=true", wanted(agency))).json()["found"]
    assert (found["delivered"], found["left"]) == (0, 3)
    assert (await desk.post("/v1/redrives", wanted(agency))).status_code == 409


async def test_p3_what_was_accepted_stays_told_when_the_law_stops_its_redrive(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency)
    async with world.delivering():
        await eventually(lambda: all_in(world, "delivered"))
    made = await desk.post("/v1/redrives", wanted(agency))
    redrive_id = made.json()["redrive"]["redrive_id"]
    await carry_on(world.db)
    assert await world.state(notice) == "pending"
    assert await fate(world) is PlannedFate.TOLD, "while it waits to be sent once more, too"
    await world.change_agency(agency, authority_to=date(2020, 1, 1))
    async with world.delivering():
        await eventually(lambda: all_in(world, "delivered"))
    await eventually(lambda: over(world, desk, redrive_id))
    assert await progress(desk, redrive_id) == (0, 1, 0), "left, and not asked for every minute"
    assert await fate(world) is PlannedFate.TOLD
    assert receiver.notice_ids == [notice]
    assert await world.events(NoticesRefused) == [], "its duty was met, and stays so"
    (refused,) = await world.events(DisclosuresRefused)
    assert [each.reason for each in refused.refused] == [RefusalReason.AUTHORITY_EXPIRED]
    assert await world.tasks() == [("refused", notice)]


async def test_a_conflict_asserted_meanwhile_leaves_what_was_accepted_as_it_was(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    """C16, P8: it gets nothing further, and what it holds stays."""
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency)
    async with world.delivering():
        await eventually(lambda: all_in(world, "delivered"))
    await desk.post("/v1/redrives", wanted(agency))
    await carry_on(world.db)
    async with world.db.transaction() as session:
        await session.execute(_ASSERT, {"referral": world.referral_id, "agency": agency})
    async with world.delivering():
        await eventually(lambda: all_in(world, "delivered"))
    assert await fate(world) is PlannedFate.TOLD
    assert receiver.notice_ids == [notice]


async def test_who_is_sent_pointers_is_sent_them_again(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    """What a channel needs on file is asked by channel: a pointer needs no key."""
    agency = await world.agency(receiver.url, channel="pickup", encryption_key=None)
    notices = await world.notices(agency, 2, state="delivered", delivered_at=utc_now())
    made = await desk.post("/v1/redrives", wanted(agency))
    assert made.json()["found"]["delivered"] == 2
    async with world.delivering():
        await eventually(lambda: over(world, desk, made.json()["redrive"]["redrive_id"]))
    assert [await world.facts(each) for each in notices] == [["completed:200"]] * 2
    await world.change_agency(agency, channel="email", endpoint=None, email="desk@example.org")
    found = (await desk.post("/v1/redrives?dry_run=true", wanted(agency))).json()["found"]
    assert found["delivered"] == 2


async def test_whom_only_a_person_can_call_is_sent_nothing_again(world: World, desk: Desk) -> None:
    agency = await world.agency(None, channel="oral", encryption_key=None)
    await world.notice(agency, state="delivered", delivered_at=utc_now())
    found = (await desk.post("/v1/redrives?dry_run=true", wanted(agency))).json()["found"]
    assert (found["delivered"], found["left"]) == (0, 1)


@pytest.mark.parametrize("kind", ["recall", "withdrawal", "supersession"])
async def test_p3_what_was_recalled_or_withdrawn_is_not_disclosed_again(
    world: World, receiver: Receiver, desk: Desk, kind: str
) -> None:
    """Also when the word of it is planned while the job is under way."""
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency, state="delivered", delivered_at=utc_now())
    made = (await desk.post("/v1/redrives", wanted(agency))).json()["redrive"]
    child = await world.child_of(notice)
    await world.notice(agency, child_id=child, version=2, kind=kind, state="delivered")
    assert await carry_on(world.db) == 0
    assert await progress(desk, made["redrive_id"]) == (0, 1, 0)
    found = (await desk.post("/v1/redrives?dry_run=true", wanted(agency))).json()["found"]
    assert (found["delivered"], found["left"]) == (1, 1), "the word itself may be sent again"


async def test_a_cancelled_job_sends_nothing_more(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    agency = await world.agency(receiver.url)
    await world.notices(agency, 5, state="delivered", delivered_at=utc_now())
    made = (await desk.post("/v1/redrives", wanted(agency))).json()["redrive"]
    cancelled = await desk.post(f"/v1/redrives/{made['redrive_id']}/cancel", {})
    assert cancelled.json()["cancelled_by"] == "maker"
    assert await carry_on(world.db) == 0
    assert (await desk.post(f"/v1/redrives/{made['redrive_id']}/cancel", {})).status_code == 409


async def test_p9_an_unfinished_job_has_an_age(world: World, desk: Desk) -> None:
    agency = await world.agency("http://127.0.0.1:9/")
    await world.notice(agency, state="delivered", delivered_at=utc_now())
    await desk.post("/v1/redrives", wanted(agency))
    async with world.db.transaction() as session:
        assert (await areas.ages(session))["redrive"] > 0


@pytest.mark.parametrize("state", DeliveryState)
def test_what_was_withdrawn_superseded_or_refused_is_never_sent_again(
    state: DeliveryState,
) -> None:
    found = sort(state, newest=True, conflicted=False, lawful=True)
    waiting = {DeliveryState.PENDING, DeliveryState.BLOCKED, DeliveryState.ATTEMPTING}
    if state in waiting:
        assert found is Sort.WAITING
    else:
        assert (found is Sort.DELIVERED) == (state is DeliveryState.DELIVERED)


PATHS = [
    ("GET", "/v1/redrives", "controls:read", None),
    ("GET", f"/v1/redrives/rdv_{0:032x}", "controls:read", None),
    ("POST", "/v1/redrives", "controls:redrive", wanted(f"agy_{0:032x}")),
    ("POST", f"/v1/redrives/rdv_{0:032x}/cancel", "controls:redrive", {}),
]


@pytest.mark.parametrize(("method", "path", "scope", "body"), PATHS)
async def test_p10_redrives_need_their_scope_and_are_for_our_own_people(
    desk: Desk, method: str, path: str, scope: str, body: object
) -> None:
    assert set(await desk.refused_to_others(method, path, scope, body)) == {401, 403}
