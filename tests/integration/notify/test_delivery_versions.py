"""Delivery and amendment (P8): in order, nobody twice in flight, a zombie's answer kept.

The planner here is the real one, over a projection made up.
"""

import asyncio
import json
from collections.abc import Sequence

import pytest
from sqlalchemy import insert

from services.notify import models
from services.notify.consumer import PlanReferral
from services.notify.delivery.attempts import Ended
from services.notify.delivery.commitment import Committer
from services.notify.delivery.deliver import Limits
from services.notify.delivery.outcome_store import record
from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from services.notify.delivery.recorder import Recorder
from services.notify.directory import tables as directory_tables
from services.notify.directory.in_force import Directories
from services.notify.planning.drafting import Clerk
from services.notify.planning.intake_client import ProjectedChild, Projection
from services.notify.routing.facts_read import Facts
from services.notify.routing.rulebook import load_rulebook
from services.notify.rulemaking.rulebooks import Rulebooks
from shared.contracts.base import Event, Source
from shared.contracts.codes import HtType, Trigger
from shared.contracts.disclosures import DisclosuresCompleted, DisclosuresUnknown
from shared.contracts.notices import NoticesDelivered, NoticesSuperseded
from shared.contracts.referrals import ReferralAmended, ReferralChild
from shared.messaging.outbox import Outbox
from shared.runtime.ids import new_event_id, new_id, utc_now
from tests.support.deliveries import World, decrypt, eventually
from tests.support.receiver import Receiver, answer, reset


class Planning:
    """One referral with one child, planned for real, version by version."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.child_id = new_id("chd")
        self._planner = PlanReferral(
            self,
            Rulebooks(load_rulebook()),
            Directories(samples=True),
            Clerk(world.sealer, Committer(b"k" * 32)),
            Outbox(models.OUTBOX, Source.NOTIFY),
        )

    async def project(self, referral_id: str, version: int, profiles: Sequence[str]) -> Projection:
        copy: dict[str, object] = {"name": "Test Child One", "other_concerns": f"v{version}"}
        facts = Facts(ht_type=HtType.SEX, residence_town=None, incident_towns=())
        return Projection(
            referral_id=referral_id,
            number="HL-TEST-0001",
            version=version,
            trigger=Trigger.CARELINE,
            received_at=utc_now(),
            synthetic=True,
            children=(
                ProjectedChild(
                    child_id=self.child_id,
                    facts=facts,
                    copies=dict.fromkeys(profiles, copy),
                ),
            ),
        )

    async def plan(self, version: int) -> str:
        """Plan this version; the id of the one notice it made."""
        data = ReferralAmended(
            referral_id=self.world.referral_id,
            version=version,
            trigger=Trigger.CARELINE,
            received_at=utc_now(),
            recorded_at=utc_now(),
            children=(ReferralChild(child_id=self.child_id, ht_type=HtType.SEX),),
            synthetic=True,
        )
        event = Event(
            id=new_event_id(),
            source=Source.INTAKE,
            type=ReferralAmended.type,
            subject=self.world.referral_id,
            time=utc_now(),
            sequence=version,
            data={},
        )
        material = await self._planner.prepare(event, data)
        async with self.world.db.transaction() as session:
            await self._planner.apply(session, event, data, material)
        rows = await self.world.rows(
            "SELECT notice_id FROM notify.notices WHERE version = :version", version=version
        )
        (row,) = rows
        return str(row.notice_id)


@pytest.fixture
async def planning(world: World, receiver: Receiver) -> Planning:
    await world.agency(receiver.url)
    async with world.db.transaction() as session:
        await session.execute(insert(directory_tables.directory).values(id=1, version=1))
    return Planning(world)


async def test_an_unattempted_version_is_superseded_unsent(
    world: World, receiver: Receiver, planning: Planning
) -> None:
    first, second = await planning.plan(1), await planning.plan(2)
    async with world.delivering():
        await eventually(lambda: _is(world, second, "delivered"))
    assert receiver.notice_ids == [second]
    assert await world.state(first) == "superseded"
    assert await world.facts(first) == []


async def test_a_later_version_waits_for_the_open_attempt_and_goes_second(
    world: World, receiver: Receiver, planning: Planning
) -> None:
    receiver.script = [receiver.hang]
    first = await planning.plan(1)
    async with world.delivering():
        await eventually(lambda: _received(receiver, 1))
        second = await planning.plan(2)
        assert await world.state(second) == "blocked"
        await asyncio.sleep(0.05)
        assert receiver.notice_ids == [first]
        receiver.released.set()
        await eventually(lambda: _is(world, second, "delivered"))
    assert receiver.notice_ids == [first, second]
    forms = [json.loads(decrypt(each.body)) for each in receiver.requests]
    assert [each["child"]["other_concerns"] for each in forms] == ["v1", "v2"]
    assert [(each["kind"], each["supersedes"]) for each in forms] == [
        ("original", None),
        ("correction", 1),
    ]
    assert await world.state(first) == "delivered"
    assert receiver.most_open == 1


@pytest.mark.parametrize("end", [answer(500), reset])
async def test_an_attempt_that_fails_with_a_successor_waiting_is_not_retried(
    world: World, receiver: Receiver, planning: Planning, end: object
) -> None:
    async def fail_when_released(request: object, writer: asyncio.StreamWriter) -> None:
        await receiver.released.wait()
        await end(request, writer)  # type: ignore[operator]

    receiver.script = [fail_when_released]
    first = await planning.plan(1)
    async with world.delivering():
        await eventually(lambda: _received(receiver, 1))
        second = await planning.plan(2)
        receiver.released.set()
        await eventually(lambda: _is(world, second, "delivered"))
    assert receiver.notice_ids == [first, second]
    assert await world.state(first) == "superseded"
    (superseded,) = await world.events(NoticesSuperseded)
    assert superseded.superseded_by == 2
    assert [each.notice_id for each in superseded.notices] == [first]


async def test_of_several_amendments_only_the_last_follows_the_open_attempt(
    world: World, receiver: Receiver, planning: Planning
) -> None:
    receiver.script = [receiver.hang]
    first = await planning.plan(1)
    async with world.delivering():
        await eventually(lambda: _received(receiver, 1))
        second, third = await planning.plan(2), await planning.plan(3)
        receiver.released.set()
        await eventually(lambda: _is(world, third, "delivered"))
    assert receiver.notice_ids == [first, third]
    assert await world.state(second) == "superseded"


async def test_a_version_waiting_to_be_retried_gives_way_to_the_next(
    world: World, receiver: Receiver, planning: Planning
) -> None:
    receiver.script = [answer(503, "Retry-After: 60")]
    first = await planning.plan(1)
    async with world.delivering():
        await eventually(lambda: _is(world, first, "pending", attempts=1))
        second = await planning.plan(2)
        await eventually(lambda: _is(world, second, "delivered"))
    assert receiver.notice_ids == [first, second]
    assert await world.state(first) == "superseded"


async def test_a_crash_of_the_attempt_unblocks_its_successor_and_only_after_its_deadline(
    world: World, receiver: Receiver, planning: Planning
) -> None:
    receiver.script = [receiver.hang]
    first = await planning.plan(1)
    dying = world.start(Limits(deadline=0.3))
    await eventually(lambda: _received(receiver, 1))
    second = await planning.plan(2)
    await dying.kill()
    async with world.delivering():
        await eventually(lambda: _is(world, second, "delivered"))
    assert receiver.notice_ids == [first, second]
    assert (await world.state(first), await world.facts(first)) == ("superseded", ["unknown"])


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(NotSent(Obstacle.UNREACHABLE), "superseded"), (Unknown(), "pending")],
    ids=["not one byte was sent", "something may have been sent"],
)
async def test_a_supersession_follows_only_an_attempt_that_may_have_told_something(
    world: World, receiver: Receiver, outcome: Outcome, state: str
) -> None:
    """P3: whoever is off the route and holds nothing learns nothing, not even that."""
    receiver.script = [receiver.hang]
    agency = await world.agency(receiver.url)
    first = await world.notice(agency)
    running = world.start(Limits(deadline=30))
    await eventually(lambda: _received(receiver, 1))
    await running.kill()
    second = await world.notice(
        agency,
        child_id=await world.child_of(first),
        version=2,
        kind="supersession",
        state="blocked",
    )
    await world.rows("UPDATE notify.deliveries SET superseded_by = 2 WHERE version = 1 RETURNING 1")
    await _record(world, await _open_attempt(world), outcome)
    assert (await world.state(first), await world.state(second)) == ("superseded", state)


async def test_a_notice_that_is_never_accepted_gets_a_person_though_its_agency_takes_others(
    world: World, receiver: Receiver
) -> None:
    """P1, P9: the breaker sees a healthy agency; the notice is nobody's but for its task."""
    receiver.script = [receiver.hang]
    notice = await world.notice(await world.agency(receiver.url))
    running = world.start(Limits(deadline=30))
    await eventually(lambda: _received(receiver, 1))
    await running.kill()
    await world.rows("UPDATE notify.deliveries SET attempts = 8 RETURNING 1")
    await _record(world, await _open_attempt(world), Answered(413))
    (task,) = await world.rows("SELECT kind, about FROM notify.tasks")
    assert (task.kind, task.about) == ("not_accepted", notice)


async def test_versions_stay_in_order_however_the_amendment_races_the_delivery(
    world: World, receiver: Receiver, planning: Planning
) -> None:
    """Amendments at random moments of a receiver that answers, errs and resets by turns."""
    receiver.script = [answer(500), answer(200), reset, answer(200), answer(500)]
    async with world.delivering():
        for version in range(1, 9):
            last = await planning.plan(version)
            await asyncio.sleep(0.003 * version)
        await eventually(lambda: _is(world, last, "delivered"))
    versions = [json.loads(decrypt(each.body))["version"] for each in receiver.requests]
    assert versions == sorted(versions)
    assert versions[-1] == 8
    assert receiver.most_open == 1
    rows = await world.rows(
        "SELECT count(*) AS n FROM notify.deliveries WHERE state NOT IN ('delivered', 'superseded')"
    )
    assert rows[0].n == 0


async def test_a_zombies_late_200_is_kept_and_ends_the_delivery(
    world: World, receiver: Receiver
) -> None:
    """P2, P6: declared unknown, then answered after all: both facts are on record, the delivery
    counts from the answer's own time, and nothing is sent again."""
    receiver.script = [receiver.hang]
    notice = await world.notice(await world.agency(receiver.url))
    zombie = world.start(Limits(deadline=30))
    await eventually(lambda: _received(receiver, 1))
    await _declare_unknown(world)
    await _hold_retry(world)
    assert (await world.state(notice), await world.facts(notice)) == ("pending", ["unknown"])
    receiver.released.set()
    await eventually(lambda: _is(world, notice, "delivered"))
    await zombie.stop()
    assert await world.facts(notice) == ["unknown+completed:200"]
    assert receiver.notice_ids == [notice]
    assert len(await world.events(DisclosuresUnknown)) == 1
    assert len(await world.events(DisclosuresCompleted)) == 1
    assert len(await world.events(NoticesDelivered)) == 1


async def test_a_zombies_late_200_does_not_end_the_attempt_that_followed_it(
    world: World, receiver: Receiver
) -> None:
    """P8: while the second attempt is open the delivery is not over, though it is delivered."""
    receiver.script = [receiver.hang, receiver.hang]
    notice = await world.notice(await world.agency(receiver.url))
    async with world.delivering(Limits(deadline=30, drain=0.05)):
        await eventually(lambda: _received(receiver, 1))
        old = await _open_attempt(world)
        await _declare_unknown(world)
        await world.make_due(notice)
        await eventually(lambda: _received(receiver, 2))
        await _record(world, old, Answered(200))
        row = await world.delivery(notice)
        assert row.state == "attempting"
        assert row.delivered_at is not None
    row = await world.delivery(notice)
    assert row.state == "delivered"
    assert await world.facts(notice) == ["unknown+completed:200", "unknown"]
    assert len(await world.events(NoticesDelivered)) == 1


async def test_a_fact_is_recorded_once_however_often_it_is_told(
    world: World, receiver: Receiver
) -> None:
    """As after an ambiguous commit of the outcome."""
    notice = await world.notice(await world.agency(receiver.url))
    async with world.delivering():
        await eventually(lambda: _is(world, notice, "delivered"))
    rows = await world.rows("SELECT disclosure_id, agency_id FROM notify.disclosures")
    again = Ended(rows[0].disclosure_id, notice, rows[0].agency_id, Answered(200), utc_now())
    before = await world.delivery(notice)
    for _ in range(2):
        await _record(world, again, Answered(200))
        await _record(world, again, Unknown())
    assert await world.delivery(notice) == before
    assert await world.facts(notice) == ["completed:200"]
    assert len(await world.events(DisclosuresCompleted, NoticesDelivered)) == 2


async def test_an_outcome_of_a_claim_that_was_rolled_back_records_nothing(
    world: World, receiver: Receiver
) -> None:
    """As after an ambiguous commit of the claim: not sent, if it is on record at all."""
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency)
    never = Ended(new_id("dsc"), notice, agency, Answered(200), utc_now())
    await _record(world, never, NotSent(Obstacle.INTERRUPTED))
    assert (await world.state(notice), await world.facts(notice)) == ("pending", [])
    assert await world.rows("SELECT 1 FROM notify.disclosure_outcomes") == []


async def _open_attempt(world: World) -> Ended:
    (row,) = await world.rows(
        "SELECT notice_id, agency_id, open_disclosure_id FROM notify.deliveries "
        "WHERE state = 'attempting'"
    )
    return Ended(row.open_disclosure_id, row.notice_id, row.agency_id, Unknown(), utc_now())


async def _declare_unknown(world: World) -> None:
    """What another process does once this one's session is lost and the deadline has passed."""
    await world.rows(
        "UPDATE notify.deliveries SET lease_owner = 0, "
        "attempt_deadline = clock_timestamp() - CAST('1 s' AS interval) "
        "WHERE state = 'attempting' RETURNING 1"
    )
    outbox = Outbox(models.OUTBOX, Source.NOTIFY)
    await Recorder(world.db, outbox, lambda _: None).reclaim()


async def _hold_retry(world: World) -> None:
    await world.rows(
        "UPDATE notify.deliveries SET next_attempt_at = next_attempt_at + "
        "CAST('1 hour' AS interval) WHERE state = 'pending' RETURNING 1"
    )


async def _record(world: World, ended: Ended, outcome: Outcome) -> None:
    told = Ended(ended.disclosure_id, ended.notice_id, ended.agency_id, outcome, utc_now())
    async with world.db.transaction() as session:
        outbox = Outbox(models.OUTBOX, Source.NOTIFY)
        await record(session, outbox, [told], utc_now(), lambda: 0.0)


async def _is(world: World, notice: str, state: str, attempts: int | None = None) -> bool:
    row = await world.delivery(notice)
    return row.state == state and attempts in (None, row.attempts)


async def _received(receiver: Receiver, count: int) -> bool:
    return len(receiver.requests) >= count
