"""The sample directory: every kind, every town, every part of a town, and no real address."""

import json
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from deploy.machine.invented import STATEWIDE, sample_agencies
from deploy.machine.samples import private_keys, write_directory
from services.notify.directory.agencies import Kind
from services.notify.directory.coverage import gaps
from services.notify.directory.entries import SampleEntry
from services.notify.directory.history import Term, in_force
from services.notify.directory.jurisdiction import Beat
from services.notify.directory.register import Directory
from services.notify.directory.towns import dcf_offices, every_office, judicial_districts

SAMPLES = sample_agencies()
NOW = {sample.code: sample for sample in SAMPLES}
TODAY = date(2026, 3, 3)


def directory_on(folder: Path, day: date) -> Directory:
    """As notify would have it after seeding."""
    path = write_directory(folder, "http://127.0.0.1:9001")
    entries = TypeAdapter(list[SampleEntry]).validate_python(json.loads(path.read_text()))
    terms = [Term(entry.agency_id, 1, entry.effective, entry.plain().stored()) for entry in entries]
    agencies = [e.agency() for e in in_force(terms, day).values() if not e.closed]
    return Directory(1, tuple(agencies), judicial_districts(), dcf_offices())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys cost time to make: once for all that only look."""
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(scope="module")
def directory(folder: Path) -> Directory:
    return directory_on(folder, TODAY)


def test_there_is_an_agency_of_every_kind_and_every_name_says_sample() -> None:
    assert {sample.kind for sample in SAMPLES} == {kind.value for kind in Kind}
    assert all(sample.name.startswith("Sample ") for sample in SAMPLES)
    assert len({sample.name for sample in SAMPLES}) == len(NOW)


def test_all_169_towns_have_lawful_police_and_mdt_members(directory: Directory) -> None:
    assert len(directory.districts) == 169
    assert gaps(directory, TODAY) == []


def test_every_town_has_a_prosecutor_and_its_dcf_offices_people(directory: Directory) -> None:
    for town in directory.districts:
        assert len(directory.states_attorney_of(town)) == 1
        for kind in (Kind.HART_LIAISON, Kind.HART_LEAD_LOCAL, Kind.REGIONAL_OFFICE, Kind.SIU):
            assert len(directory.office_of(town, kind)) == 1, (town, kind)


def test_a_troop_and_its_resident_troopers_are_one_agency() -> None:
    troop = NOW["csp_troop_k"]
    assert (troop.kind, "Andover" in troop.towns) == ("state_police", True)
    assert not any("resident" in sample.name for sample in SAMPLES)


def test_c8_every_part_with_police_of_its_own_leads_to_them_alone(directory: Directory) -> None:
    parts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for sample in NOW.values():
        for written in sample.beats:
            beat = Beat.parse(written)
            if beat.part:
                parts[beat.town, beat.part].add(sample.code)
    assert len(parts) == 15
    for (town, part), codes in parts.items():
        found = directory.police_of(town, district=part)
        assert {agency.code for agency in found} == codes
    assert parts["Groton", "groton_city"] == {"groton_city_police"}
    assert {a.code for a in directory.police_of("Groton")} == {"groton_town_police"}


def test_c8_where_two_forces_share_a_town_both_are_its_police(directory: Directory) -> None:
    found = {agency.code for agency in directory.police_of("Windham")}
    assert found == {"willimantic_police", "csp_troop_k"}


def test_c7_a_reservation_has_its_tribal_police_and_the_troop(directory: Directory) -> None:
    found = directory.police_of("Ledyard", district="mashantucket_pequot")
    assert {a.code for a in found} == {"mashantucket_pequot_police", "csp_troop_e"}
    assert NOW["mashantucket_pequot_police"].mou


@pytest.mark.parametrize(
    ("town", "day", "codes"),
    [
        ("Ledyard", date(2016, 6, 30), {"csp_troop_e"}),
        ("Ledyard", date(2016, 7, 1), {"ledyard_police"}),
        ("East Lyme", date(2017, 6, 30), {"csp_troop_e"}),
        ("East Lyme", date(2017, 7, 1), {"east_lyme_police"}),
    ],
)
def test_c34_a_town_that_left_the_state_police_has_its_police_of_the_day(
    folder: Path, town: str, day: date, codes: set[str]
) -> None:
    found = directory_on(folder, day).police_of(town)
    assert {agency.code for agency in found} == codes


def test_c34_the_prosecutor_of_ga_17_is_gone_since_it_was_merged(folder: Path) -> None:
    before = directory_on(folder, date(2019, 8, 31)).states_attorney_of("Bristol")
    after = directory_on(folder, date(2019, 9, 1)).states_attorney_of("Bristol")
    assert {a.code for a in before} - {a.code for a in after} == {"states_attorney_ga_17"}
    assert [a.code for a in after] == ["states_attorney_new_britain"]


def test_one_state_police_without_towns_takes_what_has_no_town(directory: Directory) -> None:
    assert [agency.name for agency in directory.statewide_police()] == [STATEWIDE]


def test_each_roll_has_a_coordinator_and_one_is_complete() -> None:
    members = [sample for sample in SAMPLES if sample.kind == "mdt_member"]
    seats = Counter(sample.seat for sample in members)
    assert seats.pop("coordinator") == 13
    others = "police prosecutor dcf mental_health medical forensic_interviewer advocate"
    assert seats == Counter(others.split())


def test_c16_who_a_member_of_a_roll_belongs_to_is_somebody_on_file() -> None:
    affiliations = {code for sample in SAMPLES for code in sample.affiliations}
    assert affiliations
    assert affiliations <= set(NOW)


def test_offices_are_those_of_the_towns() -> None:
    assert {office for sample in SAMPLES for office in sample.offices} == every_office()


def test_the_file_shows_public_keys_only_and_keeps_ids_and_keys(tmp_path: Path) -> None:
    path = write_directory(tmp_path, "http://127.0.0.1:9001")
    first = json.loads(path.read_text())
    assert all("d" not in entry["encryption_key"] for entry in first)
    assert len({entry["encryption_key"]["x"] for entry in first}) == len(NOW)
    assert (tmp_path / "private-keys.json").stat().st_mode & 0o077 == 0
    second = json.loads(write_directory(tmp_path, "http://127.0.0.1:9002").read_text())
    same = [{**entry, "endpoint": None} for entry in first]
    assert [{**entry, "endpoint": None} for entry in second] == same
    assert set(private_keys(tmp_path)) == {entry["agency_id"] for entry in second}


def test_an_agency_of_a_home_of_before_keeps_its_id(tmp_path: Path) -> None:
    write_directory(tmp_path, "http://127.0.0.1:9001")
    keys = tmp_path / "private-keys.json"
    known = json.loads(keys.read_text())
    old = {
        "Ansonia Police Department": known.pop("ansonia_police"),
        "Sample HART Director": known.pop("hart_director"),
        "Sample MDT Member (Danbury)": known.pop("mdt_danbury_coordinator"),
    }
    keys.write_text(json.dumps(known | old))
    entries = json.loads(write_directory(tmp_path, "http://127.0.0.1:9001").read_text())
    ids = {entry["code"]: entry["agency_id"] for entry in entries}
    kept = [ids["ansonia_police"], ids["hart_director"], ids["mdt_danbury_coordinator"]]
    assert kept == [each["agency_id"] for each in old.values()]
