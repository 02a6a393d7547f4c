"""The directory in the database: in force by the day, kept by version, asked again by the claim."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from deploy.machine.samples import write_directory
from services.notify import models
from services.notify.directory import store as directory_store
from services.notify.directory import tables as directory_tables
from services.notify.directory.authority import today
from services.notify.directory.commands import run_directory
from services.notify.directory.entries import AgencyEntry
from services.notify.directory.history import in_force
from services.notify.directory.in_force import directory_as_of
from services.notify.directory.jurisdiction import CONNECTICUT
from services.notify.directory.register import Directory
from services.notify.directory.seeding import seed_samples
from services.notify.tasks.parked_tasks import turn_page
from shared.runtime.ids import utc_now
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.deliveries import World, eventually
from tests.support.planning import FBI, OTHER_POLICE, POLICE, Planning
from tests.support.receiver import Receiver

DAY = today(utc_now())


@pytest.fixture
async def planning(database: FreshDatabase, tmp_path: Path) -> Planning:
    planning = Planning(database.open("notify"))
    await support.seed(planning.db, support.agencies(), tmp_path)
    return planning


async def record(
    planning: Planning, changes: dict[tuple[str, date], dict[str, Any]], on: date = DAY
) -> int:
    now = datetime.combine(on, time(12), CONNECTICUT)
    async with planning.db.transaction() as session:
        before = await directory_store.lock_version(session)
        return await directory_store.record(session, changes, before=before, today=on, now=now)


async def current(planning: Planning) -> Directory:
    async with planning.db.transaction() as session:
        return await planning.directories.current(session)


async def as_of(
    planning: Planning, day: date | None = None, version: int | None = None
) -> Directory | None:
    async with planning.db.transaction() as session:
        found = await directory_as_of(session, DAY, day=day, version=version)
    return None if found is None else found.directory()


def test_every_field_of_an_entry_is_a_column_and_breaker_and_secrets_are_none() -> None:
    breaker = {"hold_until", "consecutive_failures", "halted"}
    secrets = {"webhook_secrets", "webhook_secret_ends"}
    columns = {column.name for column in directory_tables.agencies.c}
    assert columns - breaker - secrets == set(AgencyEntry.model_fields) - {"transport"}


async def test_as_of_a_day_the_directory_answers_what_was_in_force(planning: Planning) -> None:
    third = date(2026, 3, 3)
    await record(planning, {(FBI, third): {"name": "Renamed"}})
    names = []
    for day in (third - timedelta(days=1), third):
        found = await as_of(planning, day)
        assert found is not None
        agency = found.get(FBI)
        assert agency is not None
        names.append(agency.name)
    assert names == ["Example Agency 2", "Renamed"]
    assert await as_of(planning, version=99) is None
    before_all = await as_of(planning, date(1999, 12, 31))
    assert before_all is not None
    assert before_all.agencies == ()


async def test_today_is_what_routing_reads(planning: Planning) -> None:
    await record(planning, {(FBI, DAY): {"name": "Renamed", "offices": ["Norwich"]}})
    read, told = await current(planning), await as_of(planning)
    assert told is not None
    assert (read.version, set(read.agencies)) == (told.version, set(told.agencies))


async def test_what_is_recorded_for_a_day_comes_into_force_when_it_has_come(
    planning: Planning,
) -> None:
    version = await record(planning, {(FBI, DAY + timedelta(days=2)): {"name": "Renamed"}})
    before = await current(planning)
    midnight = datetime.combine(DAY + timedelta(days=2), time(0), CONNECTICUT)
    eve = midnight - timedelta(minutes=1)
    await turn_page(planning.db, lambda: eve)
    assert (await current(planning)).version == version
    await turn_page(planning.db, lambda: eve + timedelta(minutes=1))
    await turn_page(planning.db, lambda: eve + timedelta(minutes=2))
    after = await current(planning)
    assert after.version == version + 1
    assert [d.get(FBI).name for d in (before, after)] == [  # type: ignore[union-attr]
        "Example Agency 2",
        "Renamed",
    ]


async def test_c34_a_merged_agency_is_out_of_the_route_and_in_the_versions_of_before(
    planning: Planning,
) -> None:
    was = (await current(planning)).version
    change: dict[tuple[str, date], dict[str, Any]] = {
        (OTHER_POLICE, DAY): {"closed": True, "successor": "ansonia_police", "towns": []},
        (POLICE, DAY): {"code": "ansonia_police", "towns": ["Ansonia", "Derby"]},
    }
    version = await record(planning, change)
    now = await current(planning)
    assert [agency.agency_id for agency in now.police_of("Derby")] == [POLICE]
    assert now.get(OTHER_POLICE) is None
    notices_version = await as_of(planning, version=was)
    assert notices_version is not None
    assert [agency.agency_id for agency in notices_version.police_of("Derby")] == [OTHER_POLICE]
    assert now.version == version == was + 1


async def test_c34_a_notice_keeps_the_directory_version_that_chose_its_recipient(
    planning: Planning,
) -> None:
    await planning.plan(planning.announce())
    await record(planning, {(FBI, DAY): {"closed": True}})
    await planning.plan(planning.announce())
    rows = await planning.rows(models.notices)
    told = {(row["agency_id"], row["directory_version"]) for row in rows}
    assert (FBI, 1) in told
    assert (FBI, 2) not in told
    assert (POLICE, 2) in told


@pytest.mark.parametrize(
    "change", [{"closed": True}, {"mou": "MOU 7", "mou_to": today(utc_now()) - timedelta(days=1)}]
)
async def test_p3_a_claim_refuses_an_agency_that_was_closed_or_whose_agreement_has_ended(
    world: World, receiver: Receiver, change: dict[str, Any]
) -> None:
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency)
    await world.change_agency(agency, **change)
    async with world.delivering():
        await eventually(lambda: _refused(world, notice))
    assert receiver.connections == 0


async def _refused(world: World, notice: str) -> bool:
    return bool((await world.delivery(notice)).state == "refused")


async def test_seeding_again_leaves_what_people_have_changed(
    planning: Planning, tmp_path: Path
) -> None:
    await record(planning, {(FBI, DAY): {"name": "Renamed by two people"}})
    assert await support.seed(planning.db, support.agencies(), tmp_path) == 2
    agency = (await current(planning)).get(FBI)
    assert agency is not None
    assert agency.name == "Renamed by two people"


async def test_a_sample_file_may_tell_the_history_too(planning: Planning, tmp_path: Path) -> None:
    old = support.agency(20, "municipal_police", towns=["Ledyard"], effective="2010-01-01")
    entries = [*support.agencies(), old, old | {"effective": "2016-07-01", "towns": []}]
    version = await support.seed(planning.db, entries, tmp_path)
    assert version == await support.seed(planning.db, entries, tmp_path)
    assert (await current(planning)).police_of("Ledyard") == []
    then = await as_of(planning, date(2016, 6, 30))
    assert then is not None
    assert len(then.police_of("Ledyard")) == 1


@pytest.mark.parametrize("table", ["agency_terms", "directory_versions"])
async def test_history_cannot_be_rewritten(planning: Planning, table: str) -> None:
    for statement in (f"UPDATE notify.{table} SET version = 9", f"DELETE FROM notify.{table}"):
        with pytest.raises(Exception, match=r"append-only|permission denied"):
            async with planning.db.transaction() as session:
                await session.execute(text(statement))


async def test_what_the_migration_makes_of_a_row_reads_as_an_entry(planning: Planning) -> None:
    """0003 turns the rows it finds into first terms with this expression."""
    async with planning.db.transaction() as session:
        rows = await session.execute(
            text(
                "SELECT agency_id, to_jsonb(a) - ARRAY['hold_until', 'consecutive_failures', "
                "'halted', 'webhook_secrets', 'webhook_secret_ends'] AS fields "
                "FROM notify.agencies a"
            )
        )
        terms = await directory_store.terms(session)
    found = in_force(terms, DAY)
    assert {row.agency_id: AgencyEntry.model_validate(row.fields) for row in rows} == found


async def test_the_sample_directory_covers_all_169_towns_in_the_database_too(
    planning: Planning, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_directory(tmp_path, "http://127.0.0.1:9009")
    count, version = await seed_samples(planning.db, file)
    assert (count > 200, version) == (True, 2)
    assert await run_directory(["coverage"], planning.db, samples=True) == 0
    assert "169 of 169 towns" in capsys.readouterr().out
    read = await current(planning)
    assert {a.code for a in read.police_of("East Lyme")} == {"east_lyme_police"}
    succeeded = [each.code for each in read.called("states_attorney_ga_17")]
    assert succeeded == ["states_attorney_new_britain"]
    assert await run_directory(["coverage"], planning.db, samples=False) == 1
