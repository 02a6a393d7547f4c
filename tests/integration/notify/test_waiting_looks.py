"""What the doctor asks notify's tables: whom to call, and about which referral."""

from datetime import date

from services.notify import waiting_checks, way_store
from services.notify.enrolment.expiry_store import lasting
from services.notify.tasks.store import acknowledge, file_tasks, list_tasks
from services.notify.tasks.task import NewTask, TaskKind
from services.notify.telling_checks import of_ends
from shared.runtime.findings import Level
from shared.runtime.ids import utc_now
from tests.support.deliveries import World


async def test_p9_who_takes_nothing_is_named_with_its_contact_and_a_referral(world: World) -> None:
    assert [each.level for each in await waiting_checks.deliveries(world.db)] == [Level.WELL]
    agency = await world.agency(None, name="Example Police", contact="desk, 555-0100")
    await world.notice(agency, attempts=1)
    await world.notice(agency, attempts=7, referral_id="ref_most")
    (found,) = await waiting_checks.deliveries(world.db)
    assert found.level is Level.ACT
    assert f"Example Police (desk, 555-0100; {agency}) has not taken 2 notice(s)" in found.says
    assert "that of ref_most after 7 attempts" in found.says


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
    async with world.db.reading() as session:
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
    async with world.db.reading() as session:
        found = {each.agency_id for each in await lasting(session) if each.authority_to}
    assert found == {whole, told, part}
