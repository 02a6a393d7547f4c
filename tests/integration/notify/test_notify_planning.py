"""Planning against the real tables: what is inserted, sealed, said, and asked of persons."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from asyncpg import PostgresError
from sqlalchemy import text

from services.notify import models
from services.notify.directory import tables as directory_tables
from services.notify.directory.in_force import Directories
from services.notify.planning import history_store as store
from services.notify.planning.copies import open_copy
from services.notify.routing.facts_read import FACTS
from services.notify.tasks import tables as task_tables
from services.notify.way_store import way
from shared.contracts.codes import Trigger
from shared.contracts.disclosures import DisclosuresRefused
from shared.contracts.notices import NoticesPlanned, NoticesRefused, NoticesSuperseded
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.ids import utc_now
from shared.runtime.sealing import WrappedKey
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import CSA, DIRECTOR, FBI, LEAD, MDT, POLICE, STATE, Child, Planning
from tests.support.statements import recorded


@pytest.fixture
async def planning(database: FreshDatabase, tmp_path: Path) -> Planning:
    db = database.open("notify")
    await support.seed(db, support.agencies(), tmp_path)
    return Planning(db)


async def test_the_five_of_the_careline_route_are_planned_due_and_said(planning: Planning) -> None:
    data = planning.announce()
    await planning.plan(data)
    notices = await planning.rows(models.notices)
    deliveries = await planning.rows(models.deliveries)
    assert {n["agency_id"] for n in notices} == {POLICE, LEAD, FBI, CSA, MDT}
    assert {d["state"] for d in deliveries} == {"pending"}
    assert {d["next_attempt_at"] for d in deliveries} == {planning.now}
    (planned,) = await planning.emitted()
    assert isinstance(planned, NoticesPlanned)
    assert {n.notice_id for n in planned.notices} == {n["notice_id"] for n in notices}
    assert await planning.rows(task_tables.tasks) == []


async def test_the_ongoing_worker_route_has_the_director(planning: Planning) -> None:
    await planning.plan(planning.announce(trigger=Trigger.ONGOING_WORKER))
    told = {n["agency_id"] for n in await planning.rows(models.notices)}
    assert told == {POLICE, DIRECTOR, FBI, CSA, MDT}


async def test_p3_each_recipient_is_frozen_with_rule_rules_and_directory(
    planning: Planning,
) -> None:
    await planning.plan(planning.announce())
    police = next(n for n in await planning.rows(models.notices) if n["agency_id"] == POLICE)
    assert police["rule"] == "careline.local_police"
    assert police["because"] == "Example Agency 0: incident town, CGS 17a-101b(c)"
    assert police["authority"] == "CGS 17a-101b(c); CGS 17a-28"
    assert (police["rules_version"], police["directory_version"]) == ("2026-2", 1)
    with pytest.raises(PostgresError, match=r"permission denied|append-only"):
        async with planning.db.transaction() as session:
            await session.execute(text("UPDATE notify.notices SET agency_id = agency_id"))


async def test_p3_a_changed_directory_leaves_frozen_recipients_alone(
    planning: Planning, tmp_path: Path
) -> None:
    await planning.plan(planning.announce())
    before = await planning.rows(models.notices)
    changed = support.agencies(municipal_police={"towns": ["Derby"]})
    assert await support.seed(planning.db, changed, tmp_path) == 2
    assert await planning.rows(models.notices) == before
    await planning.plan(planning.announce(Child(towns=("Derby",))))
    latest = [n for n in await planning.rows(models.notices) if n["directory_version"] == 2]
    assert POLICE in {n["agency_id"] for n in latest}


async def test_p4_and_p5_a_copy_is_sealed_under_its_childs_own_key(planning: Planning) -> None:
    one, two = Child(name="Test Child One"), Child(name="Test Child Two")
    await planning.plan(planning.announce(one, two))
    keys = {
        row["child_id"]: WrappedKey(row["kek_version"], row["wrapped"])
        for row in await planning.rows(models.child_keys)
    }
    names = {one.child_id: one.name, two.child_id: two.name}
    copies = await planning.rows(models.copies)
    assert len(copies) == 2 * (4 + 1), "four profiles and the facts, of two children"
    for row in copies:
        child_id, profile = row["child_id"], row["profile"]
        copy = open_copy(support.SEALER, keys[child_id], child_id, 1, profile, row["sealed"])
        facts = {"ht_type": "sex", "incident_towns": ["Ansonia"]}
        seen = {"name": names[child_id], "parents": [{"name": f"for {profile}"}]}
        assert copy == (facts if profile == FACTS else seen)


async def test_p5_no_table_holds_a_name_or_a_town_of_the_child(planning: Planning) -> None:
    """A canary in every field that planning handles, and every table of notify searched."""
    child = Child(name="CANARY7", towns=("Ansonia",), home="Derby")
    await planning.plan(planning.announce(child))
    await planning.plan(planning.announce(Child(name="CANARY7", towns=())))
    for table in models.metadata.sorted_tables:
        if table in (directory_tables.agencies, directory_tables.agency_terms):
            continue
        async with planning.db.transaction() as session:
            rows = await session.execute(text(f"SELECT t::text AS row FROM {table.fullname} AS t"))
            for row in rows.scalars():
                assert "CANARY7" not in row, table.name
                assert b"CANARY7".hex() not in row, table.name
                assert "Ansonia" not in row, table.name
                assert "Derby" not in row, table.name


async def test_handled_twice_a_referral_has_no_second_effect(planning: Planning) -> None:
    data = planning.announce()
    await planning.plan(data)
    before = [await planning.rows(table) for table in models.metadata.sorted_tables]
    await planning.plan(data)
    after = [await planning.rows(table) for table in models.metadata.sorted_tables]
    assert after == before


async def test_a_first_version_is_planned_and_told_of_in_two_statements(
    planning: Planning, monkeypatch: pytest.MonkeyPatch
) -> None:
    await planning.plan(planning.announce())
    statements = recorded(monkeypatch)
    await planning.plan(planning.announce())
    assert [each.split(" ")[0] for each in statements] == ["INSERT", "WITH"]


async def test_an_older_version_after_a_newer_one_has_no_effect(planning: Planning) -> None:
    """A skipped event that a person replays later."""
    child = Child()
    first = planning.announce(child)
    second = planning.announce(child, referral_id=first.referral_id, version=2)
    await planning.plan(second)
    await planning.plan(first)
    assert {n["version"] for n in await planning.rows(models.notices)} == {2}
    assert {n["kind"] for n in await planning.rows(models.notices)} == {"original"}


async def test_two_workers_with_one_event_plan_once(planning: Planning) -> None:
    data = planning.announce()
    await asyncio.gather(planning.plan(data), planning.plan(data))
    assert len(await planning.rows(models.notices)) == 5
    assert len(await planning.emitted()) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"authority": None}, "no_authority_on_file"),
        ({"authority_from": "2026-03-04"}, "authority_not_yet_in_force"),
        ({"authority_to": "2026-03-02"}, "authority_expired"),
        ({"encryption_key": None}, "no_encryption_key"),
        ({"endpoint": None}, "no_encryption_key"),
    ],
)
async def test_p3_who_may_not_be_told_is_refused_on_record_and_a_person_is_asked(
    planning: Planning, tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    await support.seed(planning.db, support.agencies(fbi=change), tmp_path)
    data = planning.announce()
    await planning.plan(data)
    assert FBI not in {n["agency_id"] for n in await planning.rows(models.notices)}
    (refusal,) = await planning.rows(models.refusals)
    assert (refusal["agency_id"], refusal["reason"]) == (FBI, reason)
    _, refused, disclosures = await planning.emitted()
    assert isinstance(refused, NoticesRefused)
    assert isinstance(disclosures, DisclosuresRefused)
    assert refused.notices[0].notice_id == refusal["notice_id"]
    assert disclosures.refused[0].reason == reason
    (task,) = await planning.rows(task_tables.tasks)
    assert (task["kind"], task["about"]) == ("refused", refusal["notice_id"])


async def test_p1_the_way_counts_whom_nobody_tells_until_a_later_version_plans_anew(
    planning: Planning, tmp_path: Path
) -> None:
    await support.seed(planning.db, support.agencies(fbi={"authority_to": "2026-03-02"}), tmp_path)
    planning.now = utc_now()
    data = planning.announce()
    await planning.plan(data)
    (stage,) = [each for each in (await way(planning.db)).stages if each.name == "refused"]
    assert (stage.done, stage.waiting) == (1, 1)
    async with planning.db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO notify.plans SELECT referral_id, version + 1, rules_version, "
                "directory_version, planned_at FROM notify.plans"
            )
        )
    (stage,) = [each for each in (await way(planning.db)).stages if each.name == "refused"]
    assert stage.done == 0


async def test_p3_the_day_of_an_authority_is_the_day_in_connecticut(
    planning: Planning, tmp_path: Path
) -> None:
    """At 03:00 UTC on 4 March it is still 3 March in Hartford."""
    until = support.agencies(fbi={"authority_to": "2026-03-03"})
    await support.seed(planning.db, until, tmp_path)
    planning.now = support.NOW.replace(day=4, hour=3)
    await planning.plan(planning.announce())
    assert await planning.rows(models.refusals) == []


async def test_town_unknown_is_told_to_the_state_police_with_a_task(planning: Planning) -> None:
    child = Child(towns=())
    await planning.plan(planning.announce(child))
    told = {n["agency_id"] for n in await planning.rows(models.notices)}
    assert told == {STATE, LEAD, FBI, CSA}
    kinds = {(t["kind"], t["about"]) for t in await planning.rows(task_tables.tasks)}
    assert ("unresolved_town", child.child_id) in kinds
    assert {kind for kind, _ in kinds} == {"unresolved_town", "refused"}


async def test_without_any_directory_a_referral_waits_and_nobody_is_refused(
    database: FreshDatabase,
) -> None:
    planning = Planning(database.open("notify"))
    with pytest.raises(Retryable):
        await planning.plan(planning.announce())
    assert await planning.rows(models.plans) == []
    assert await planning.rows(models.refusals) == []


async def test_production_never_routes_to_a_sample_agency(planning: Planning) -> None:
    planning.directories = Directories(samples=False)
    await planning.plan(planning.announce())
    assert await planning.rows(models.notices) == []
    assert len(await planning.rows(models.refusals)) == 5


async def test_a_synthetic_referral_never_reaches_a_real_agency(planning: Planning) -> None:
    async with planning.db.transaction() as session:
        await session.execute(
            text("UPDATE notify.agencies SET sample = false WHERE agency_id = :fbi"), {"fbi": FBI}
        )
    await planning.plan(planning.announce(synthetic=True))
    told = {n["agency_id"] for n in await planning.rows(models.notices)}
    assert told == {POLICE, LEAD, CSA, MDT}


async def test_intake_is_asked_for_that_version_and_the_profiles_of_its_route(
    planning: Planning,
) -> None:
    data = planning.announce()
    await planning.plan(data)
    wanted = ("hart", "law_enforcement", "mdt", "prosecution")
    assert planning.intake.asked == [(data.referral_id, 1, wanted)]


async def test_a_projection_of_other_children_is_refused_for_good(planning: Planning) -> None:
    data = planning.announce()
    other = planning.announce(Child(), referral_id=data.referral_id)
    assert other.children != data.children
    with pytest.raises(Permanent):
        await planning.plan(data)


async def test_a_rollback_leaves_nothing(planning: Planning) -> None:
    data = planning.announce()
    material = await planning.handler.prepare(support.envelope(data), data)
    with pytest.raises(RuntimeError):
        async with planning.db.transaction() as session:
            await planning.handler.apply(session, support.envelope(data), data, material)
            raise RuntimeError
    assert await planning.rows(models.notices) == []
    assert await planning.emitted() == []
    await planning.plan(data)
    assert len(await planning.rows(models.notices)) == 5


async def test_a_plan_wakes_delivery_after_its_commit(planning: Planning) -> None:
    await planning.plan(planning.announce())
    assert await planning.db.wakes.wait("deliver", 0.01)


async def test_p8_what_was_never_attempted_is_superseded_unsent(planning: Planning) -> None:
    child = Child()
    first = planning.announce(child)
    await planning.plan(first)
    await planning.plan(planning.announce(child, referral_id=first.referral_id, version=2))
    deliveries = await planning.rows(models.deliveries)
    states = {(d["version"], d["state"], d["superseded_by"]) for d in deliveries}
    assert states == {(1, "superseded", 2), (2, "pending", None)}
    assert {d["next_attempt_at"] for d in deliveries if d["version"] == 1} == {None}
    superseded = [e for e in await planning.emitted() if isinstance(e, NoticesSuperseded)]
    assert len(superseded) == 1
    assert len(superseded[0].notices) == 5
    kinds = {n["kind"] for n in await planning.rows(models.notices) if n["version"] == 2}
    assert kinds == {"original"}


async def test_p8_each_recipient_is_corrected_by_what_became_of_its_first_version(
    planning: Planning,
) -> None:
    child = Child()
    first = planning.announce(child)
    await planning.plan(first)
    await planning.set_state(POLICE, "delivered", "completed")
    await planning.set_state(FBI, "attempting", None)
    await planning.set_state(CSA, "pending", "failed")
    await planning.set_state(MDT, "pending", "failed", "unknown")
    await planning.plan(planning.announce(child, referral_id=first.referral_id, version=2))
    after = {
        (n["agency_id"]): (n["kind"], n["supersedes"])
        for n in await planning.rows(models.notices)
        if n["version"] == 2
    }
    assert after == {
        POLICE: ("correction", 1),
        FBI: ("correction", 1),
        CSA: ("original", None),
        MDT: ("correction", 1),
        LEAD: ("original", None),
    }
    states = {(d["agency_id"], d["version"]): d for d in await planning.rows(models.deliveries)}
    assert states[FBI, 2]["state"] == "blocked"
    assert states[FBI, 2]["next_attempt_at"] is None
    assert (states[FBI, 1]["state"], states[FBI, 1]["superseded_by"]) == ("attempting", 2)
    assert (states[POLICE, 1]["state"], states[POLICE, 1]["superseded_by"]) == ("delivered", None)
    assert states[MDT, 1]["state"] == "superseded"


async def test_p8_who_left_the_route_is_told_so_only_if_it_may_hold_something(
    planning: Planning,
) -> None:
    child = Child()
    first = planning.announce(child)
    await planning.plan(first)
    await planning.set_state(POLICE, "delivered", "completed")
    moved = Child(child_id=child.child_id, towns=("Derby",))
    await planning.plan(planning.announce(moved, referral_id=first.referral_id, version=2))
    second = {n["agency_id"]: n for n in await planning.rows(models.notices) if n["version"] == 2}
    assert second[POLICE]["kind"] == "supersession"
    assert second[POLICE]["profile"] is None
    assert second[POLICE]["fields"] == []
    assert second[support.OTHER_POLICE]["kind"] == "original"
    keys = await planning.rows(models.child_keys)
    assert len(keys) == 1


async def test_p3_outranks_p8_a_withheld_supersession_is_a_refused_disclosure_with_a_task(
    planning: Planning, tmp_path: Path
) -> None:
    child = Child()
    first = planning.announce(child)
    await planning.plan(first)
    await planning.set_state(POLICE, "delivered", "completed")
    lapsed = support.agencies(municipal_police={"authority": None})
    await support.seed(planning.db, lapsed, tmp_path)
    moved = Child(child_id=child.child_id, towns=("Derby",))
    await planning.plan(planning.announce(moved, referral_id=first.referral_id, version=2))
    told = {n["agency_id"] for n in await planning.rows(models.notices) if n["version"] == 2}
    assert POLICE not in told
    (refusal,) = await planning.rows(models.refusals)
    assert (refusal["kind"], refusal["agency_id"]) == ("supersession", POLICE)
    said = [type(event) for event in await planning.emitted()]
    assert DisclosuresRefused in said
    assert NoticesRefused not in said
    assert [t["about"] for t in await planning.rows(task_tables.tasks)] == [refusal["notice_id"]]


async def test_p8_a_plan_waits_for_the_outcome_that_is_being_written(planning: Planning) -> None:
    """The outcome's transaction holds the row; the plan decides by what it commits."""
    child = Child()
    first = planning.announce(child)
    await planning.plan(first)
    await planning.set_state(POLICE, "attempting", None)
    second = planning.announce(child, referral_id=first.referral_id, version=2)
    async with planning.db.transaction() as session:
        await session.execute(
            text(
                "UPDATE notify.deliveries SET state = 'delivered', open_disclosure_id = NULL "
                "WHERE agency_id = :police"
            ),
            {"police": POLICE},
        )
        waiting = asyncio.create_task(planning.plan(second))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    await waiting
    states = {(d["agency_id"], d["version"]): d for d in await planning.rows(models.deliveries)}
    assert states[POLICE, 2]["state"] == "pending"


async def test_p9_what_waits_has_an_age(planning: Planning) -> None:
    async with planning.db.transaction() as session:
        assert await store.ages(session) == dict.fromkeys(
            ("delivery", "attempt", "task", "proposal"), 0.0
        )
    planning.now = support.NOW - timedelta(days=400)
    await planning.plan(planning.announce(Child(towns=())))
    await planning.set_state(FBI, "attempting", None)
    async with planning.db.transaction() as session:
        ages = await store.ages(session)
    assert all(ages[what] > 86_400 for what in ("delivery", "attempt", "task"))


async def test_p9_a_blocked_version_waits_visibly(planning: Planning) -> None:
    await planning.plan(planning.announce())
    async with planning.db.transaction() as session:
        await session.execute(text("UPDATE notify.deliveries SET state = 'blocked'"))
        assert (await store.ages(session))["delivery"] > 0


async def test_p9_what_a_release_before_planned_has_an_age_too(planning: Planning) -> None:
    """It did not say in `deliveries` when that was."""
    planning.now = support.NOW - timedelta(days=400)
    await planning.plan(planning.announce())
    planning.now = support.NOW - timedelta(days=200)
    await planning.plan(planning.announce())
    async with planning.db.transaction() as session:
        said = (await store.ages(session))["delivery"]
        await session.execute(
            text(
                "UPDATE notify.deliveries SET planned_at = NULL "
                "WHERE planned_at = (SELECT min(planned_at) FROM notify.deliveries)"
            )
        )
        assert said == pytest.approx((await store.ages(session))["delivery"], abs=60)


async def test_a_batch_is_planned_as_each_alone_would_be_in_few_statements(
    planning: Planning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among it a second version, and one that is handled for the second time."""
    child = Child()
    again = planning.announce()
    first = planning.announce(child)
    await planning.plan(first)
    await planning.set_state(FBI, "attempting", None)
    await planning.plan(again)
    batch = [
        again,
        planning.announce(child, referral_id=first.referral_id, version=2),
        planning.announce(Child(towns=())),
        planning.announce(Child(), Child()),
    ]
    materials = [await planning.handler.prepare(support.envelope(data), data) for data in batch]
    statements = recorded(monkeypatch)
    async with planning.db.transaction() as session:
        await planning.handler.apply_all(
            session,
            [
                (support.envelope(data), data, material)
                for data, material in zip(batch, materials, strict=True)
            ],
        )
    assert len(statements) <= 14
    notices = await planning.rows(models.notices)
    told = [sum(n["referral_id"] == data.referral_id for n in notices) for data in batch]
    assert told == [5, 10, 4, 10]
    second = {n["kind"] for n in notices if n["version"] == 2}
    assert second == {"original", "correction"}
    planned = [e for e in await planning.emitted() if isinstance(e, NoticesPlanned)]
    assert len(planned) == 5
