"""The sample directory: whole or refused, versioned by change, read again only when changed."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import text

from services.notify.directory import tables as directory_tables
from services.notify.directory.agencies import Kind
from services.notify.directory.in_force import Directories
from services.notify.directory.register import Directory
from services.notify.directory.seeding import seed_samples
from services.notify.directory.store import count_samples
from services.notify.directory.towns import judicial_districts
from shared.runtime.errors import Misconfigured
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import FBI, Planning
from tests.support.statements import recorded


@pytest.fixture
def planning(database: FreshDatabase) -> Planning:
    return Planning(database.open("notify"))


def test_every_town_has_a_judicial_district() -> None:
    assert len(judicial_districts()) == 169
    assert len(set(judicial_districts().values())) == 13


async def test_the_version_grows_with_a_change_and_only_then(
    planning: Planning, tmp_path: Path
) -> None:
    entries = support.agencies()
    assert await support.seed(planning.db, entries, tmp_path) == 1
    assert await support.seed(planning.db, entries, tmp_path) == 1
    changed = support.agencies(fbi={"name": "Renamed Example"})
    assert await support.seed(planning.db, changed, tmp_path) == 2
    async with planning.db.transaction() as session:
        directory = await planning.directories.current(session)
        assert await count_samples(session) == len(entries)
    agency = directory.get(FBI)
    assert agency is not None
    assert (agency.name, agency.kind, agency.sample) == ("Renamed Example", Kind.FBI, True)
    assert agency.encrypted_channel


async def test_seeding_again_leaves_the_breaker_of_an_agency_alone(
    planning: Planning, tmp_path: Path
) -> None:
    await support.seed(planning.db, support.agencies(), tmp_path)
    async with planning.db.transaction() as session:
        await session.execute(text("UPDATE notify.agencies SET consecutive_failures = 7"))
    await support.seed(planning.db, support.agencies(fbi={"name": "Renamed"}), tmp_path)
    assert {
        row["consecutive_failures"] for row in await planning.rows(directory_tables.agencies)
    } == {7}


async def test_an_unchanged_directory_costs_one_read_of_its_version_per_transaction(
    planning: Planning, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await support.seed(planning.db, support.agencies(), tmp_path)
    directories = Directories(samples=True)
    statements = recorded(monkeypatch)
    read = []
    for _ in range(3):
        async with planning.db.transaction() as session:
            read += [await directories.current(session), await directories.current(session)]
    assert len({id(each) for each in read}) == 1
    of_version = [each for each in statements if each.startswith("SELECT version")]
    assert (len(of_version), len(statements)) == (3, 5), "open agencies and closed ones, once"


async def _of_a_later_release(planning: Planning, folder: Path, column: str) -> Directory:
    """The FBI's record holds a word there that this release does not know."""
    await support.seed(planning.db, support.agencies(), folder)
    async with planning.db.transaction() as session:
        await session.execute(
            text(f"UPDATE notify.agencies SET {column} = 'unheard_of' WHERE agency_id = :id"),
            {"id": FBI},
        )
        return await Directories(samples=True).current(session)


async def test_p1_a_channel_of_a_later_release_is_none_and_the_others_are_read(
    planning: Planning, tmp_path: Path
) -> None:
    directory = await _of_a_later_release(planning, tmp_path, "channel")
    one = directory.get(FBI)
    assert one is not None
    assert (one.encrypted_channel, one.other_channel) == (False, None)
    others = [each for each in directory.agencies if each.agency_id != FBI]
    assert others
    assert all(each.encrypted_channel for each in others)


async def test_p1_a_kind_of_a_later_release_fills_no_role_and_the_others_are_read(
    planning: Planning, tmp_path: Path
) -> None:
    directory = await _of_a_later_release(planning, tmp_path, "kind")
    one = directory.get(FBI)
    assert one is not None
    assert (one.kind, directory.called(one.name), directory.of_kind(Kind.FBI)) == (None, [one], [])
    assert all(each.kind for each in directory.agencies if each.agency_id != FBI)


async def test_a_missing_key_is_null_to_sql_too(planning: Planning, tmp_path: Path) -> None:
    await support.seed(planning.db, support.agencies(fbi={"encryption_key": None}), tmp_path)
    async with planning.db.transaction() as session:
        found = await session.scalar(
            text("SELECT agency_id FROM notify.agencies WHERE encryption_key IS NULL")
        )
    assert found == FBI


PRIVATE = ECKey.generate_key("P-256").as_dict(private=True)
OTHER_CURVE = ECKey.generate_key("P-384").as_dict(private=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"agency_id": "fbi"}, "agency_id"),
        ({"kind": "militia"}, "kind"),
        ({"name": " "}, "name"),
        ({"profile": "hart"}, "the rules send fbi the profile law_enforcement"),
        ({"towns": ["Atlantis"]}, "towns.0"),
        ({"judicial_districts": ["Atlantis"]}, "judicial_districts.0"),
        ({"authority_from": "yesterday"}, "authority_from"),
        ({"authority": ""}, "authority"),
        ({"endpoint": "ftp://example.test"}, "endpoint"),
        ({"endpoint": "http://user@example.test"}, "endpoint"),
        ({"encryption_key": PRIVATE}, "encryption_key"),
        ({"encryption_key": OTHER_CURVE}, "encryption_key"),
        ({"encryption_key": {"kty": "oct", "k": "AAAA"}}, "encryption_key"),
        ({"allowed_networks": ["everywhere"]}, "allowed_networks.0"),
        ({"sample": False}, "sample"),
    ],
)
async def test_an_entry_that_is_not_right_is_refused_by_place_and_changes_nothing(
    planning: Planning, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        await support.seed(planning.db, support.agencies(fbi=change), tmp_path)
    assert said in str(caught.value)
    assert str(PRIVATE["d"]) not in str(caught.value)
    assert await planning.rows(directory_tables.agencies) == []


@pytest.mark.parametrize("content", ["{", "{}", '"x"', json.dumps([1])])
async def test_a_file_that_is_no_list_of_agencies_is_refused(
    planning: Planning, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "agencies.json"
    file.write_text(content)
    with pytest.raises(Misconfigured, match=r"agencies\.json"):
        await seed_samples(planning.db, file)
    with pytest.raises(Misconfigured, match=r"missing\.json"):
        await seed_samples(planning.db, tmp_path / "missing.json")


async def test_an_id_given_twice_is_refused(planning: Planning, tmp_path: Path) -> None:
    entries = support.agencies()
    with pytest.raises(Misconfigured, match="same agency_id and day"):
        await support.seed(planning.db, [*entries, entries[0]], tmp_path)
