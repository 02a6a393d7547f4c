"""What the doctor asks notify's tables: whom to call, and about which referral."""

from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy import text

from services.notify import waiting_checks, way_store
from services.notify.controls.halting import halt, lift
from services.notify.controls.halts import Cause
from services.notify.enrolment.expiry_store import lasting
from services.notify.leg_store import legs_of
from services.notify.legs import as_its_agency_sees
from services.notify.proposals.proposal import ProposalKind
from services.notify.proposals.store import propose
from services.notify.tasks.store import acknowledge, file_tasks, list_tasks
from services.notify.tasks.task import NewTask, TaskKind, unreachable
from services.notify.tasks.telling import as_of_now
from services.notify.telling_checks import of_ends
from shared.runtime.findings import Level
from shared.runtime.ids import utc_now
from tests.support.deliveries import World, eventually
from tests.support.receiver import answer, receiving


async def test_p9_who_takes_nothing_is_named_with_its_contact_and_a_referral(world: World) -> None:
    assert [each.level for each in await waiting_checks.deliveries(world.db)] == [Level.WELL]
    agency = await world.agency(None, name="Example Police", contact="desk, 555-0100")
    await world.notice(agency, attempts=1)
    await world.notice(agency, attempts=7, referral_id="ref_most")
    (found,) = await waiting_checks.deliveries(world.db)
    assert found.level is Level.ACT
    assert f"Example Police (desk, 555-0100; {agency}) has not taken 2 notice(s)" in found.says
    assert f"that of {world.referral_id} (the nearest due" in found.says
    assert ") after 1 attempts" in found.says
    for _ in range(2):
        assert await waiting_checks.deliveries(world.db) == [found], "always the same"


async def test_what_the_agency_answered_is_said_and_404_is_not_400(world: World) -> None:
    async with receiving() as wrong:
        wrong.behaviour = answer(404)
        agency = await world.agency(wrong.url)
        notice = await world.notice(agency, attempts=1)
        async with world.delivering():
            await eventually(lambda: _failed(world, notice))
    (found,) = await waiting_checks.deliveries(world.db)
    assert "its last answer was 404" in found.says
    async with world.db.connection() as session:
        (leg,) = await legs_of(session, world.referral_id, None)
    assert leg.last_answer == "404"


async def test_what_kept_a_notice_from_being_sent_is_on_record(world: World) -> None:
    async with receiving() as gone:
        agency = await world.agency(gone.url)
    notice = await world.notice(agency, attempts=1)
    async with world.delivering():
        await eventually(lambda: _failed(world, notice))
    (found,) = await waiting_checks.deliveries(world.db)
    assert "the last try ended as unreachable" in found.says


async def test_p10_to_an_agency_no_answer_is_shown(world: World) -> None:
    async with receiving() as failing:
        failing.behaviour = answer(500)
        agency = await world.agency(failing.url)
        notice = await world.notice(agency, attempts=1)
        async with world.delivering():
            await eventually(lambda: _failed(world, notice))
    async with world.db.connection() as session:
        found = await legs_of(session, world.referral_id, agency)
    assert [leg.last_answer for leg in found] == ["500"]
    assert [leg.last_answer for leg in as_its_agency_sees(found)] == [None]


async def test_the_open_proposal_that_may_mend_it_is_found(world: World) -> None:
    agency = await world.agency(None)
    await world.notice(agency, attempts=2)
    other = await world.agency(None)
    await _propose(world, other, {"endpoint": "https://a.example"}, {"endpoint": None})
    await _propose(world, agency, {"name": "One"}, {"name": "Two"})
    (found,) = await waiting_checks.deliveries(world.db)
    assert found.level is Level.LOOK
    proposal = await _propose(world, agency, {"endpoint": None}, {"endpoint": "https://b.example"})
    (found,) = await waiting_checks.deliveries(world.db)
    assert (found.level, proposal in str(found.do)) == (Level.ACT, True)


async def test_a_task_of_an_agency_says_that_it_is_over_only_when_nothing_waits(
    world: World,
) -> None:
    filed = utc_now() - timedelta(minutes=2)
    agency = await world.agency(None)
    taken = {"state": "delivered", "delivered_at": utc_now()}
    await world.notice(agency, **taken)
    await world.notice(agency, attempts=1)
    async with world.db.transaction() as session:
        await file_tasks(session, [unreachable(world.referral_id, agency, filed)], filed)
    assert (await _told(world))[0].startswith(f"Agency {agency}")
    assert (await waiting_checks.tasks(world.db))[0].level is Level.ACT
    async with world.db.transaction() as session:
        await session.execute(
            text(
                "UPDATE notify.deliveries SET state = 'delivered', delivered_at = :now, "
                "next_attempt_at = NULL"
            ),
            {"now": utc_now()},
        )
    assert "nothing waits" in (await _told(world))[0]
    assert (await waiting_checks.tasks(world.db))[0].level is Level.LOOK


async def test_a_task_of_a_halt_says_that_it_was_lifted(world: World) -> None:
    agency = await world.agency(None)
    async with world.db.transaction() as session:
        made = await halt(session, Cause.PAUSE, agency, reason="test", by="a", now=utc_now())
    assert made is not None
    assert (await _told(world))[0].startswith("Since ")
    async with world.db.transaction() as session:
        await lift(session, made.halt_id, by="b", why="test", now=utc_now())
    assert (await _told(world))[0].startswith("OVER: this was lifted at")


async def _told(world: World) -> list[str]:
    async with world.db.transaction() as session:
        found = await list_tasks(session, only_open=True, after=None, limit=10)
        return [each.detail for each in await as_of_now(session, found)]


async def _propose(
    world: World, agency: str, before: Mapping[str, object], after: Mapping[str, object]
) -> str:
    change = {"before": before, "after": {**after, "agency_id": agency}}
    async with world.db.transaction() as session:
        made = await propose(
            session,
            ProposalKind.DIRECTORY,
            {"changes": [change]},
            summary="test",
            reason="test",
            by="maker",
            now=utc_now(),
        )
    return made.proposal_id


async def _failed(world: World, notice: str) -> bool:
    return any(await world.facts(notice))


async def test_what_was_taken_is_nobodys_call(world: World) -> None:
    agency = await world.agency(None, name="Example Police")
    await world.notice(agency, attempts=3, state="delivered", delivered_at=utc_now())
    assert [each.level for each in await waiting_checks.deliveries(world.db)] == [Level.WELL]


async def test_p1_the_way_says_whom_nobody_tells_until_a_person_has_taken_it(world: World) -> None:
    task = NewTask(TaskKind.REFUSED, "ntc_1", world.referral_id, "detail")
    other = NewTask(TaskKind.REFUSED, "ntc_2", world.referral_id, "detail")
    unlawful = NewTask(TaskKind.TOLD_UNLAWFULLY, "agy_1", world.referral_id, "detail")
    calm = NewTask(TaskKind.EXPIRING, "agy_1", None, "detail")
    async with world.db.transaction() as session:
        await file_tasks(session, [task, other, unlawful, calm], utc_now())
    found = await way_store.way(world.db)
    assert [(each.what, each.id) for each in found.stopped] == [
        ("refused", "2 notice(s) of 1 referral(s)"),
        ("task", "1 told_unlawfully"),
    ]
    (stage,) = [each for each in found.stages if each.name == "refused"]
    assert (stage.done, stage.waiting) == (0, 2)
    async with world.db.transaction() as session:
        for each in await list_tasks(session, only_open=True, after=None, limit=10):
            await acknowledge(session, each.task_id, "night-desk", utc_now())
    found = await way_store.way(world.db)
    assert found.stopped == []


async def test_what_runs_out_is_told_by_the_agencys_name(world: World) -> None:
    ended = {"authority_to": date(2020, 1, 1), "name": "Example Police"}
    agency = await world.agency("https://127.0.0.1:1", **ended)
    async with world.db.connection() as session:
        (found,) = [each for each in await lasting(session) if each.agency_id == agency]
    assert found.named == f"Example Police ({agency})"
    (finding, *_) = of_ends([(found.named, *end) for end in found.ends()], date(2026, 3, 3))
    assert finding.says == f"The authority of Example Police ({agency}) ended on 2020-01-01."


async def test_of_an_agency_that_has_no_place_any_more_nothing_runs_out(world: World) -> None:
    """Not renewed, and its town went to others; or closed: that was meant."""
    ended = {"authority_to": date(2020, 1, 1)}
    whole = await world.agency(None, kind="state_police", **ended)
    told = await world.agency(None, kind="municipal_police", towns=["Ansonia"], **ended)
    part = await world.agency(None, kind="tribal_police", beats=["Montville/mohegan"], **ended)
    await world.agency(None, kind="municipal_police", **ended)
    await world.agency(None, kind="mdt_member", **ended)
    await world.agency(None, kind="municipal_police", towns=["Derby"], closed=True, **ended)
    async with world.db.connection() as session:
        found = {each.agency_id for each in await lasting(session) if each.authority_to}
    assert found == {whole, told, part}
