"""Accepted, reversed, amended, shared: plans of the later stages against the real tables."""

from pathlib import Path

import pytest
from asyncpg import PostgresError
from sqlalchemy import text

from services.notify import models
from services.notify.planning.copies import open_copy
from services.notify.tasks import tables as task_tables
from shared.contracts.codes import Stage
from shared.contracts.disclosures import DisclosuresRefused
from shared.contracts.notices import NoticesPlanned, NoticesSuperseded
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.sealing import WrappedKey
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import CSA, FBI, LEAD, MDT, POLICE, Child
from tests.support.stages import (
    COMPACT,
    NEVER_IN_ALL,
    OFFICE,
    OTHER_OFFICE,
    Staging,
)

ACCEPTED = "accepted"
AWAY: dict[str, object] = {"residence_state": "NY"}


@pytest.fixture
async def staging(database: FreshDatabase, tmp_path: Path) -> Staging:
    return await Staging.of(database.open("notify"), tmp_path)


async def accepted(staging: Staging, *children: Child) -> str:
    referral_id = await staging.receive(*children)
    await staging.handle(staging.decided(referral_id, 1, *children))
    return referral_id


async def test_c11_an_acceptance_tells_the_office_by_823_and_nobody_of_the_737_again(
    staging: Staging,
) -> None:
    before = await _of_received(staging, await accepted(staging, Child()))
    assert before == {POLICE, LEAD, FBI, CSA, MDT}
    assert await staging.told(ACCEPTED) == {(OFFICE, "original", 1, 1)}
    (notice,) = [n for n in await staging.rows(models.notices) if n["series"] == ACCEPTED]
    assert (notice["form"], notice["profile"]) == ("dcf_823", "child_protection")
    assert {"incident.narrative", "name", "incident.standing"} <= set(notice["fields"])
    planned = [e for e in await staging.emitted() if isinstance(e, NoticesPlanned)]
    assert [each.stage for each in planned] == [Stage.RECEIVED, Stage.ACCEPTED]
    assert [n.agency_id for n in planned[1].notices] == [OFFICE]


async def _of_received(staging: Staging, referral_id: str) -> set[str]:
    return {agency for agency, *_ in await staging.told("received")}


async def test_p4_the_incident_lies_sealed_under_its_childs_key_and_in_no_table_in_clear(
    staging: Staging,
) -> None:
    one, two = Child(), Child(name="Test Child Two")
    await accepted(staging, one, two)
    keys = {
        row["child_id"]: WrappedKey(row["kek_version"], row["wrapped"])
        for row in await staging.rows(models.child_keys)
    }
    parts = [c for c in await staging.rows(models.copies) if c["profile"].startswith("dcf_823/")]
    assert {part["child_id"] for part in parts} == {one.child_id, two.child_id}
    for part in parts:
        opened = open_copy(
            support.SEALER, keys[part["child_id"]], part["child_id"], 1, part["profile"],
            part["sealed"],
        )  # fmt: skip
        assert opened["incident"]["narrative"] == NEVER_IN_ALL  # type: ignore[index]
    for table in models.metadata.sorted_tables:
        async with staging.db.transaction() as session:
            rows = await session.execute(text(f"SELECT t::text AS row FROM {table.fullname} AS t"))
            for row in rows.scalars():
                assert NEVER_IN_ALL not in row, table.name


async def test_c11_not_accepted_adds_no_leg_says_nothing_and_takes_nothing_away(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await staging.receive(child)
    before = [await staging.rows(table) for table in (models.notices, models.deliveries)]
    await staging.handle(staging.decided(referral_id, 1, child, accepted=False))
    assert [await staging.rows(t) for t in (models.notices, models.deliveries)] == before
    assert len(await staging.emitted()) == 1
    await staging.handle(staging.decided(referral_id, 2, child))
    assert await staging.told(ACCEPTED) == {(OFFICE, "original", 1, 2)}


async def test_c2_a_child_of_another_state_is_told_to_the_compact_office_once_accepted(
    staging: Staging,
) -> None:
    await accepted(staging, Child(facts=AWAY))
    assert {agency for agency, *_ in await staging.told(ACCEPTED)} == {OFFICE, COMPACT}


@pytest.mark.parametrize("again", [1, 2])
async def test_a_decision_handled_again_has_no_second_effect(staging: Staging, again: int) -> None:
    child = Child()
    referral_id = await accepted(staging, child)
    before = [await staging.rows(table) for table in models.metadata.sorted_tables]
    for _ in range(again):
        await staging.handle(staging.decided(referral_id, 1, child))
    assert [await staging.rows(table) for table in models.metadata.sorted_tables] == before


async def test_c12_a_reversal_corrects_the_823_that_may_be_held_and_supersedes_the_others(
    staging: Staging,
) -> None:
    child = Child(facts=AWAY)
    referral_id = await accepted(staging, child)
    await staging.set_state(OFFICE, "delivered", "completed")
    await staging.set_state(COMPACT, "delivered", "completed")
    await staging.handle(staging.decided(referral_id, 2, child, accepted=False))
    assert await staging.told(ACCEPTED) == {
        (OFFICE, "original", 1, 1),
        (COMPACT, "original", 1, 1),
        (OFFICE, "correction", 1, 2),
        (COMPACT, "supersession", 1, 2),
    }
    assert await staging.states("received") == {
        (each, 1, "pending") for each in (POLICE, LEAD, FBI, CSA, MDT)
    }


async def test_c12_what_nobody_has_tried_yet_is_not_sent_after_the_reversal(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await accepted(staging, child)
    await staging.handle(staging.decided(referral_id, 2, child, accepted=False))
    assert await staging.states(ACCEPTED) == {(OFFICE, 1, "superseded")}
    (superseded,) = [e for e in await staging.emitted() if isinstance(e, NoticesSuperseded)]
    assert superseded.superseded_by == 1


async def test_c12_a_third_decision_accepts_again_and_everybody_hears_what_holds_now(
    staging: Staging,
) -> None:
    child = Child(facts=AWAY)
    referral_id = await accepted(staging, child)
    for agency in (OFFICE, COMPACT):
        await staging.set_state(agency, "delivered", "completed")
    await staging.handle(staging.decided(referral_id, 2, child, accepted=False))
    await staging.handle(staging.decided(referral_id, 3, child))
    latest = {each for each in await staging.told(ACCEPTED) if each[3] == 3}
    assert latest == {(OFFICE, "correction", 1, 3), (COMPACT, "correction", 1, 3)}


async def test_a_decision_after_a_later_one_has_no_effect(staging: Staging) -> None:
    """A skipped event that a person replays later."""
    child = Child()
    referral_id = await staging.receive(child)
    await staging.handle(staging.decided(referral_id, 2, child, accepted=False))
    await staging.handle(staging.decided(referral_id, 1, child))
    assert await staging.told(ACCEPTED) == set()


async def test_p8_an_amendment_after_acceptance_corrects_the_accepted_stage_too(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await accepted(staging, child)
    await staging.set_state(OFFICE, "delivered", "completed")
    await staging.handle(staging.amended(referral_id, 2, child))
    assert (OFFICE, "correction", 2, 1) in await staging.told(ACCEPTED)


async def test_p8_who_left_the_accepted_route_by_an_amendment_is_superseded_and_its_heir_told(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await accepted(staging, child)
    await staging.set_state(OFFICE, "delivered", "completed")
    moved = Child(child_id=child.child_id, towns=("Hartford",))
    await staging.handle(staging.amended(referral_id, 2, moved))
    latest = {each for each in await staging.told(ACCEPTED) if each[2] == 2}
    assert latest == {(OFFICE, "supersession", 2, 1), (OTHER_OFFICE, "original", 2, 1)}


async def test_an_amendment_after_a_reversal_corrects_who_holds_the_823_and_adds_nobody(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await accepted(staging, child)
    await staging.set_state(OFFICE, "delivered", "completed")
    await staging.handle(staging.decided(referral_id, 2, child, accepted=False))
    added = Child(name="Test Child Two")
    await staging.handle(staging.amended(referral_id, 2, child, added))
    latest = {each for each in await staging.told(ACCEPTED) if each[2] == 2}
    assert latest == {(OFFICE, "correction", 2, 2)}


async def test_a_child_added_after_acceptance_gets_its_accepted_legs(staging: Staging) -> None:
    child, added = Child(), Child(name="Test Child Two")
    referral_id = await accepted(staging, child)
    await staging.handle(staging.amended(referral_id, 2, child, added))
    mine = [n for n in await staging.rows(models.notices) if n["child_id"] == added.child_id]
    office = [n for n in mine if n["series"] == ACCEPTED]
    assert [(n["agency_id"], n["kind"], n["form"]) for n in office] == [
        (OFFICE, "original", "dcf_823")
    ]
    assert "incident.incident_type" in office[0]["fields"]


async def test_an_acceptance_of_version_1_that_comes_after_version_2_tells_version_2(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await staging.receive(child)
    await staging.handle(staging.amended(referral_id, 2, child))
    await staging.handle(staging.decided(referral_id, 1, child, version=1))
    assert await staging.told(ACCEPTED) == {(OFFICE, "original", 2, 1)}


async def test_what_was_prepared_before_the_event_ahead_of_it_was_applied_is_prepared_again(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await staging.receive(child)
    decided, amended = (
        staging.decided(referral_id, 1, child),
        staging.amended(referral_id, 2, child),
    )
    early = await staging.prepare(amended)
    await staging.handle(decided)
    with pytest.raises(Retryable):
        await staging.apply(amended, early)
    assert {version for _, _, version, _ in await staging.told()} == {1}
    await staging.handle(amended)
    assert (OFFICE, "original", 2, 1) in await staging.told(ACCEPTED)
    assert await staging.states(ACCEPTED) == {(OFFICE, 1, "superseded"), (OFFICE, 2, "pending")}


async def test_a_decision_on_a_referral_whose_receipt_was_skipped_parks(staging: Staging) -> None:
    child = Child()
    data = staging.announce(child)
    decided = staging.decided(data.referral_id, 1, child)
    with pytest.raises(Permanent):
        await staging.handle(decided)
    await staging.handle(data)
    await staging.handle(decided)
    assert await staging.told(ACCEPTED) == {(OFFICE, "original", 1, 1)}


async def test_p3_an_office_without_authority_is_refused_with_a_task(
    database: FreshDatabase, tmp_path: Path
) -> None:
    without = {"authority": None}
    db = database.open("notify")
    staging = await Staging.of(db, tmp_path, regional_office=without)
    await accepted(staging, Child())
    assert await staging.told(ACCEPTED) == set()
    (refusal,) = await staging.rows(models.refusals)
    assert (refusal["agency_id"], refusal["series"]) == (OFFICE, ACCEPTED)
    assert [t["kind"] for t in await staging.rows(task_tables.tasks)] == ["refused"]


async def test_a_shared_consult_reaches_the_team_beside_its_737(staging: Staging) -> None:
    """One agency, one version, two notices: each in a series of its own."""
    child, other = Child(), Child(name="Test Child Two")
    referral_id = await staging.receive(child, other)
    shared = staging.shared(referral_id, child)
    await staging.handle(shared)
    await staging.handle(shared)
    assert await staging.told(shared.share_id) == {(MDT, "consult_outcome", 1, 0)}
    (notice,) = [n for n in await staging.rows(models.notices) if n["series"] == shared.share_id]
    assert notice["child_id"] == child.child_id
    assert "consult.level" in notice["fields"]
    assert await staging.states("received") == {
        (each, 1, "pending") for each in (POLICE, LEAD, FBI, CSA, MDT)
    }


async def test_a_member_who_may_not_hear_of_a_consult_is_a_task_and_holds_up_no_clock(
    database: FreshDatabase, tmp_path: Path
) -> None:
    staging = await Staging.of(database.open("notify"), tmp_path)
    child = Child()
    referral_id = await staging.receive(child)
    await support.seed(
        staging.db, support.agencies(mdt_member={"authority_to": "2026-03-02"}), tmp_path
    )
    await staging.handle(staging.shared(referral_id, child))
    said = await staging.emitted()
    assert [type(event) for event in said[1:]] == [NoticesPlanned, DisclosuresRefused]
    assert [t["kind"] for t in await staging.rows(task_tables.tasks)] == ["refused"]


async def test_p8_an_amendment_tells_the_shared_consult_again_as_it_is_now(
    staging: Staging,
) -> None:
    child = Child()
    referral_id = await staging.receive(child)
    shared = staging.shared(referral_id, child)
    await staging.handle(shared)
    await staging.handle(staging.amended(referral_id, 2, child))
    assert await staging.states(shared.share_id) == {(MDT, 1, "superseded"), (MDT, 2, "pending")}


async def test_a_member_who_left_the_team_is_told_so_once(staging: Staging) -> None:
    child = Child()
    referral_id = await staging.receive(child)
    await staging.set_state(MDT, "delivered", "completed")
    shared = staging.shared(referral_id, child)
    await staging.handle(shared)
    async with staging.db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO notify.disclosures (disclosure_id, notice_id, agency_id, attempted_at)"
                " SELECT 'dsc_' || notice_id, notice_id, agency_id, planned_at "
                "FROM notify.notices WHERE series = :series"
            ),
            {"series": shared.share_id},
        )
    moved = Child(child_id=child.child_id, towns=("Hartford",))
    await staging.handle(staging.amended(referral_id, 2, moved))
    off = [n for n in await staging.rows(models.notices) if n["kind"] == "supersession"]
    assert [(n["agency_id"], n["series"]) for n in off] == [(MDT, "received")]


async def test_p3_the_plans_of_the_stages_are_append_only(staging: Staging) -> None:
    await accepted(staging, Child())
    with pytest.raises(PostgresError, match=r"permission denied|append-only"):
        async with staging.db.transaction() as session:
            await session.execute(text("DELETE FROM notify.staged_plans"))
