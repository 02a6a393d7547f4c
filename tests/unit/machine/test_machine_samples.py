"""The sample directory: the police of every town, the invented offices, no real address."""

import json
from collections import Counter
from pathlib import Path

import pytest

from deploy.machine.samples import STATEWIDE, private_keys, sample_agencies, write_directory
from services.notify.agencies import Kind
from services.notify.towns import judicial_districts

SAMPLES = sample_agencies()
BY_NAME = {sample.name: sample for sample in SAMPLES}


def test_every_town_is_policed_by_somebody() -> None:
    policed = {town for sample in SAMPLES for town in sample.towns}
    assert policed == set(judicial_districts())
    assert len(policed) == 169


def test_names_are_unique_and_kinds_are_those_of_notify() -> None:
    assert len(BY_NAME) == len(SAMPLES)
    assert {sample.kind for sample in SAMPLES} == {kind.value for kind in Kind}


def test_a_troop_and_its_resident_troopers_are_one_agency() -> None:
    troop = BY_NAME["Connecticut State Police Troop K"]
    assert (troop.kind, "Andover" in troop.towns) == ("state_police", True)
    assert not any("resident" in name for name in BY_NAME)


def test_where_two_forces_share_a_town_both_are_its_police() -> None:
    for name in ("Willimantic Police Department", "Connecticut State Police Troop K"):
        assert "Windham" in BY_NAME[name].towns


def test_one_state_police_without_towns_takes_what_has_no_town() -> None:
    without = [s for s in SAMPLES if s.kind == "state_police" and not s.towns]
    assert [sample.name for sample in without] == [STATEWIDE]


def test_each_judicial_district_has_one_mdt_member() -> None:
    members = Counter(
        district for s in SAMPLES if s.kind == "mdt_member" for district in s.judicial_districts
    )
    assert members == Counter(set(judicial_districts().values()))


@pytest.mark.parametrize(
    "kind", ["fbi", "chief_states_attorney", "hart_lead_statewide", "hart_director"]
)
def test_an_office_is_one_and_obviously_invented(kind: str) -> None:
    offices = [sample.name for sample in SAMPLES if sample.kind == kind]
    assert len(offices) == 1
    assert offices[0].startswith("Sample ")


def test_the_file_shows_public_keys_only_and_keeps_ids_and_keys(tmp_path: Path) -> None:
    path = write_directory(tmp_path, "http://127.0.0.1:1")
    first = json.loads(path.read_text())
    assert all("d" not in entry["encryption_key"] for entry in first)
    assert len({entry["encryption_key"]["x"] for entry in first}) == len(first)
    assert (tmp_path / "private-keys.json").stat().st_mode & 0o077 == 0
    second = json.loads(write_directory(tmp_path, "http://127.0.0.1:2").read_text())
    same = [{**entry, "endpoint": None} for entry in first]
    assert [{**entry, "endpoint": None} for entry in second] == same
    assert set(private_keys(tmp_path)) == {entry["agency_id"] for entry in second}
