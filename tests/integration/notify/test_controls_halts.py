"""Pause and stop: what they hold, from when on, and who may resume."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest

from services.notify import models
from services.notify.api import router
from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.store import Conflict
from services.notify.controls import halt_store, halting, marker
from services.notify.controls.api import halt_router
from services.notify.controls.commands import run_controls
from services.notify.controls.halts import Cause
from services.notify.controls.held_api import held_router
from services.notify.controls.holding import tell_held
from services.notify.controls.marking import look, marked
from services.notify.delivery import claim_store as delivery_store
from services.notify.delivery.deliver import deliver_role
from services.notify.delivery.lanes import Slots
from services.notify.delivery.postroom import Postroom
from services.notify.proposals.api import proposal_router
from services.notify.wiring import PROPOSABLES
from shared.contracts.base import Source
from shared.contracts.notices import NoticesHeld
from shared.messaging.outbox import Outbox
from shared.runtime import metrics
from shared.runtime.ids import new_id, utc_now
from tests.support.deliveries import Running, World, eventually
from tests.support.desks import Desk, desk_of
from tests.support.receiver import Receiver

SCOPES = (
    "controls:read controls:halt controls:lift proposals:read proposals:decide notices:read "
    "notices:read-all"
)
OUTBOX = Outbox(models.OUTBOX, Source.NOTIFY)
REASON = {"reason": "They asked for it."}


@pytest.fixture
async def desk(world: World, tmp_path: Path) -> AsyncIterator[Desk]:
    routers = [
        halt_router(world.db),
        held_router(world.db),
        proposal_router(world.db, PROPOSABLES),
        router(world.db),
    ]
    async with desk_of(routers, SCOPES, tmp_path) as made:
        yield made


async def claim(world: World) -> delivery_store.Claim:
    now = utc_now()
    async with world.db.transaction() as session:
        return await delivery_store.claim(
            session,
            OUTBOX,
            owner=1,
            slots=Slots(32, 16),
            busy={},
            batch=100,
            now=now,
            deadline=now + timedelta(seconds=10),
        )


async def delivered(world: World, notice_id: str) -> bool:
    return await world.state(notice_id) == "delivered"


async def test_a_paused_agency_waits_and_the_others_do_not(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    paused, other = await world.agency(receiver.url), await world.agency(receiver.url)
    made = await desk.post("/v1/halts", {"agency_id": paused} | REASON)
    assert (made.status_code, made.json()["set_by"]) == (201, "maker")
    waits, goes = await world.notice(paused), await world.notice(other)
    async with world.delivering():
        await eventually(lambda: delivered(world, goes))
        assert await world.state(waits) == "pending"
        lifted = await desk.post(f"/v1/halts/{made.json()['halt_id']}/lift", REASON, "another")
        assert lifted.json()["halt"]["lifted_by"] == "another"
        await eventually(lambda: delivered(world, waits))
    assert await world.facts(waits) == ["completed:200"]


async def test_a_stop_holds_everybody_and_whoever_is_added_meanwhile(
    world: World, receiver: Receiver, desk: Desk
) -> None:
    before = await world.notice(await world.agency(receiver.url))
    made = await desk.post("/v1/halts", {"everything": True} | REASON)
    added = await world.notice(await world.agency(receiver.url))
    assert (await claim(world)).attempts == ()
    await desk.post(f"/v1/halts/{made.json()['halt_id']}/lift", REASON)
    assert {each.notice_id for each in (await claim(world)).attempts} == {before, added}


async def test_whose_notices_a_halt_keeps_back_is_listed_the_nearest_due_first(
    world: World, desk: Desk
) -> None:
    paused = await world.agency("http://127.0.0.1:9/", contact="Desk, 860-555-0100")
    over = await world.agency("http://127.0.0.1:9/", authority_to=date(2001, 1, 1))
    first = await world.notice(paused)
    told = await world.notice(paused, state="delivered", delivered_at=utc_now())
    last = await world.notice(over)
    outdated = await world.notice(paused, kind="supersession", version=2)
    made = (await desk.post("/v1/halts", {"everything": True} | REASON)).json()["halt_id"]
    answer = (await desk.get(f"/v1/halts/{made}/notices")).json()
    notices = answer["notices"]
    assert [each["notice_id"] for each in notices] == [first, last, outdated]
    assert (notices[0]["referral_id"], notices[0]["contact"]) == (
        world.referral_id,
        "Desk, 860-555-0100",
    )
    assert [each["not_to_be_told"] for each in notices] == [None, "authority_expired", None]
    assert notices[0]["due_at"] < notices[1]["due_at"]
    assert notices[2]["due_at"] is None
    seen, after = [], ""
    while after is not None:
        page = (await desk.get(f"/v1/halts/{made}/notices?limit=1{after}")).json()
        seen += [each["notice_id"] for each in page["notices"]]
        after = page["next"] and f"&after={page['next']}"
    assert seen == [first, last, outdated]
    legs = (await desk.get(f"/v1/referrals/{world.referral_id}/notices")).json()["notices"]
    assert {leg["notice_id"]: leg["held_by"] for leg in legs} == {
        first: [made],
        told: [],
        last: [made],
        outdated: [made],
    }
    await desk.post(f"/v1/halts/{made}/lift", REASON)
    assert (await desk.get(f"/v1/halts/{made}/notices")).json() == {"notices": [], "next": None}


async def test_p10_no_agency_learns_that_its_notice_is_held_and_no_list_names_a_conflict(
    world: World, desk: Desk
) -> None:
    agency, barred = [await world.agency("http://127.0.0.1:9/") for _ in range(2)]
    notice, left_out = await world.notice(agency), await world.notice(barred)
    path = f"/v1/referrals/{world.referral_id}/notices"
    before = (await desk.get(path, agency=agency)).content
    made = (await desk.post("/v1/halts", {"everything": True} | REASON)).json()["halt_id"]
    assert (await desk.get(path, agency=agency)).content == before
    async with world.db.transaction() as session:
        conflict = Conflict(
            new_id("ast"), world.referral_id, None, (barred,), "recusal", "maker", utc_now()
        )
        await conflict_store.insert(session, conflict)
    listed = (await desk.get(f"/v1/halts/{made}/notices")).json()["notices"]
    assert [each["notice_id"] for each in listed] == [notice]
    assert left_out not in str(listed)


async def test_of_a_halt_that_is_not_there_nothing_is_listed(desk: Desk) -> None:
    assert (await desk.get(f"/v1/halts/hlt_{0:032x}/notices")).status_code == 404
    assert (await desk.get("/v1/halts/hlt_0/notices")).status_code == 404


async def test_no_claim_is_committed_after_a_stop_has_answered(world: World) -> None:
    """The claim has seen what is due, and waits for the agency's row that the stop holds."""
    await world.notice(await world.agency("http://127.0.0.1:9/"))
    async with world.db.transaction() as stopping:
        await halting.halt(stopping, Cause.STOP, None, reason="Stop.", by="maker", now=utc_now())
        waiting = asyncio.ensure_future(claim(world))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    claimed = await waiting
    assert claimed.attempts == ()
    assert await world.rows("SELECT * FROM notify.disclosures") == []


async def test_a_claim_asks_about_halts_in_the_statements_it_has(world: World) -> None:
    await world.notice(await world.agency("http://127.0.0.1:9/"))
    before = metrics.ROUND_TRIPS._value.get()
    assert len((await claim(world)).attempts) == 1
    transaction, due, record = 2, 1, 1
    spent = metrics.ROUND_TRIPS._value.get() - before
    assert spent == transaction + due + record


async def test_what_covers_an_agency_twice_is_lifted_twice(world: World) -> None:
    agency = await world.agency("http://127.0.0.1:9/")
    await world.notice(agency)
    halts = []
    for cause, whom in ((Cause.PAUSE, agency), (Cause.STOP, None), (Cause.STOP, None)):
        async with world.db.transaction() as session:
            halts.append(
                await halt_store.halt(
                    session, cause, whom, reason="Because.", by="maker", now=utc_now()
                )
            )
    assert halts[1] == halts[2], "twice is once"
    for each in halts[:2]:
        assert (await claim(world)).attempts == ()
        assert each is not None
        async with world.db.transaction() as session:
            await halting.lift(session, each.halt_id, by="maker", why="Over.", now=utc_now())
    assert len((await claim(world)).attempts) == 1


async def test_held_notices_are_told_of_once_and_a_task_is_filed(world: World) -> None:
    agency = await world.agency("http://127.0.0.1:9/")
    notice = await world.notice(agency)
    await world.notice(agency, kind="supersession", version=2)
    async with world.db.transaction() as session:
        made = await halting.halt(
            session, Cause.PAUSE, agency, reason="Moving.", by="maker", now=utc_now()
        )
    assert made is not None
    assert await tell_held(world.db, OUTBOX, utc_now()) == 2
    assert await tell_held(world.db, OUTBOX, utc_now()) == 0
    (event,) = await world.events(NoticesHeld)
    assert [each.notice_id for each in event.notices] == [notice]
    assert ("held", made.halt_id) in await world.tasks()


async def test_p1_a_held_notice_that_cannot_be_read_is_not_told_of_and_the_others_are(
    world: World,
) -> None:
    agency = await world.agency("http://127.0.0.1:9/")
    unread, *others = await world.notices(agency, 3)
    elsewhere = await world.notice(agency, referral_id=new_id("ref"))
    await world.planned_as("unheard_of", unread)
    async with world.db.transaction() as session:
        await halting.halt(session, Cause.STOP, None, reason="Because.", by="maker", now=utc_now())
    assert await tell_held(world.db, OUTBOX, utc_now()) == 4
    told = [each.notice_id for event in await world.events(NoticesHeld) for each in event.notices]
    assert sorted(told) == sorted([*others, elsewhere])
    assert await tell_held(world.db, OUTBOX, utc_now()) == 0


async def test_a_breaker_that_holds_for_a_minute_is_told_of_too(world: World) -> None:
    now = utc_now()
    agency = await world.agency("http://127.0.0.1:9/")
    notice = await world.notice(agency)
    await world.change_agency(agency, consecutive_failures=5, hold_until=now + timedelta(minutes=2))
    assert await tell_held(world.db, OUTBOX, now) == 0
    assert await tell_held(world.db, OUTBOX, now + timedelta(seconds=90)) == 1
    (event,) = await world.events(NoticesHeld)
    assert [each.notice_id for each in event.notices] == [notice]


async def test_a_restored_database_starts_held_and_two_people_release_it(
    world: World, receiver: Receiver, desk: Desk, tmp_path: Path
) -> None:
    """The backup is of a time when it had counted to one; the marker knows of more."""
    path = tmp_path / "marker"
    assert not await look(world.db, path)
    marker.write(path, 7)
    notice = await world.notice(await world.agency(receiver.url))
    begun = asyncio.Event()

    async def deliver(stop: asyncio.Event) -> None:
        begun.set()
        await stop.wait()

    stop = asyncio.Event()
    role = asyncio.ensure_future(marked(world.db, path, deliver)(stop))
    await begun.wait()
    assert (await claim(world)).attempts == (), "it is held before the role has begun"
    (held,) = (await desk.get("/v1/halts?open=true")).json()["halts"]
    assert (held["cause"], held["set_by"]) == ("restored", "hartline")
    assert ("held", held["halt_id"]) in await world.tasks()

    asked = await desk.post(f"/v1/halts/{held['halt_id']}/lift", REASON)
    assert asked.status_code == 202
    proposal_id = asked.json()["proposal_id"]
    assert (await desk.approve(proposal_id, "maker")).status_code == 403
    assert (await claim(world)).attempts == ()
    assert (await desk.approve(proposal_id, "checker")).status_code == 200
    assert [each.notice_id for each in (await claim(world)).attempts] == [notice]
    stop.set()
    await role
    assert not await look(world.db, path), "and it is not held again"


async def test_a_database_restored_beneath_a_running_process_is_held_before_a_claim(
    world: World, receiver: Receiver, tmp_path: Path
) -> None:
    """Nobody waits for the next count: whoever lost its session asks in the new one first."""
    path = tmp_path / "marker"
    dsn = world.database.dsns["notify"].app
    postroom = Postroom(world.sealer, world.signer)
    deliver = deliver_role(
        world.db, dsn, OUTBOX, postroom, world.senders, first=partial(look, world.db, path)
    )
    running = Running(
        asyncio.ensure_future(marked(world.db, path, deliver)(stop := asyncio.Event())),
        stop,
        world.db,
    )
    before = await world.notice(await world.agency(receiver.url))
    await eventually(lambda: delivered(world, before))
    marker.write(path, 1000)
    await world.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'hartline presence' AND datname = current_database()"
    )
    await eventually(lambda: held(world), within=3.0)
    notice = await world.notice(await world.agency(receiver.url))
    await running.stop()
    assert await world.facts(notice) == []


async def held(world: World) -> bool:
    return bool(await world.rows("SELECT FROM notify.halts WHERE cause = 'restored'"))


async def test_a_marker_that_is_gone_holds_and_a_new_database_does_not(
    world: World, tmp_path: Path
) -> None:
    assert not await look(world.db, tmp_path / "marker")
    assert not await look(world.db, tmp_path / "marker")
    assert await look(world.db, tmp_path / "another")


async def test_the_commands_do_what_the_api_does(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    agency = await world.agency("http://127.0.0.1:9/")
    say = ["--by", "maker", "--reason", "Moving."]
    assert await run_controls(["pause", agency, *say], world.db) == 0
    halt_id = capsys.readouterr().out.split()[0]
    assert await run_controls(["list"], world.db) == 0
    assert halt_id in capsys.readouterr().out
    assert await run_controls(["resume", halt_id, *say], world.db) == 0
    await run_controls(["list"], world.db)
    assert "Nothing is paused" in capsys.readouterr().out


async def test_a_dry_run_of_the_commands_says_how_many_and_holds_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    agency = await world.agency("http://127.0.0.1:9/")
    say = ["--by", "maker", "--reason", "Moving."]
    await run_controls(["pause", agency, *say, "--dry-run"], world.db)
    await run_controls(["stop", *say, "--dry-run"], world.db)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"Would hold 0 notice(s) on their way to {agency}."
    assert said[1].endswith("to everybody.")
    await run_controls(["list"], world.db)
    assert "Nothing is paused" in capsys.readouterr().out
    await run_controls(["stop", *say], world.db)
    halt_id = capsys.readouterr().out.split()[0]
    await run_controls(["resume", halt_id, *say, "--dry-run"], world.db)
    assert "Would let 0 notice(s) go on" in capsys.readouterr().out
    await run_controls(["list"], world.db)
    assert halt_id in capsys.readouterr().out


PATHS = [
    ("GET", "/v1/halts", "controls:read", None),
    ("GET", f"/v1/halts/hlt_{0:032x}/notices", "notices:read", None),
    ("POST", "/v1/halts", "controls:halt", {"everything": True} | REASON),
    ("POST", f"/v1/halts/hlt_{0:032x}/lift", "controls:lift", REASON),
]


@pytest.mark.parametrize(("method", "path", "scope", "body"), PATHS)
async def test_p10_halts_need_their_scope_and_are_for_our_own_people(
    desk: Desk, method: str, path: str, scope: str, body: object
) -> None:
    assert set(await desk.refused_to_others(method, path, scope, body)) == {401, 403}
    assert (await desk.get("/v1/halts?open=true")).json() == {"halts": []}
