"""The NIEM-named view: names of NIEM's alone, and nothing that the copy does not hold (P4)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from services.intake.codes import code_lists
from services.intake.documents import Document
from services.intake.niem import view
from services.intake.niem.table import OURS, TABLE, load_names, load_table
from services.intake.projections import load_profiles, project
from services.intake.records import Version
from shared.runtime.errors import Misconfigured
from tests.support.schemas import bodies

PROFILES = load_profiles()
LISTED = frozenset[str]().union(*PROFILES.values())
TOLD = load_table(LISTED)
NAMES = load_names()
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
VERSION = Version(
    "ref_0", "HL-TEST-0001", "phone", 2, "chg_0", "careline", True, NOW, NOW, "phone", ["chd_0"]
)


def names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield name
            yield from names(value)
    elif isinstance(node, list):
        for each in node:
            yield from names(each)


def values(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [leaf for each in node.values() for leaf in values(each)]
    if isinstance(node, list):
        return [leaf for each in node for leaf in values(each)]
    return [str(node)]


def test_every_row_says_where_its_name_comes_from_and_every_code_has_one() -> None:
    assert all(row.source for row in TOLD.fields.values())
    venues = {code.code for code in code_lists()["venue"].codes}
    assert set(TOLD.fields["venues"].codes) == venues
    places = [
        (TOLD.groups.get(field.partition(".")[0], ""), field.partition(".")[0], row.path)
        for field, row in TOLD.fields.items()
    ]
    assert len(set(places)) == len(places)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=bodies(Document))
def test_a_view_of_anything_has_only_names_of_the_table_and_every_value_of_the_copy(
    document: dict[str, Any],
) -> None:
    for listed in PROFILES.values():
        copy = project(document, listed).content
        shown = view.child(copy, TOLD)
        assert {name for name in names(shown) if not name.startswith(OURS)} <= set(NAMES)
        told = values({name: part for name, part in copy.items() if name != "venues"})
        extra = [*(each.value for each in TOLD.constants), "year"]
        venues = set(TOLD.fields["venues"].codes.values())
        assert set(told) <= set(values(shown))
        assert set(values(shown)) - venues <= {*told, *extra}


def test_a_referral_has_its_number_and_each_child_a_document_of_its_own() -> None:
    copies: list[tuple[str, dict[str, Any]]] = [
        ("chd_0", {"name": "Test Child One", "incident_towns": ["Hartford", "Derby"]}),
        ("chd_1", {"name": "Test Child Two", "venues": ["begging_ring", "street_based"]}),
    ]
    shown = view.referral(VERSION, copies, TOLD)
    assert shown["nc:Referral"]["nc:ActivityIdentification"]["nc:IdentificationID"] == (
        "HL-TEST-0001"
    )
    first, second = shown["hl:Child"]
    victim = first["hs:HumanTraffickingVictim"]
    assert victim["nc:EntityPerson"]["nc:PersonName"] == {"nc:PersonFullName": "Test Child One"}
    assert [
        place["nc:Address"]["nc:AddressCityName"]
        for place in victim["hs:TraffickingEvent"]["nc:ActivityLocation"]
    ] == ["Hartford", "Derby"]
    event = second["hs:HumanTraffickingVictim"]["hs:TraffickingEvent"]
    assert event == {"hs:CurrentTraffickedVenueCode": ["Street-Based"]}
    assert "Two" not in str(first)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("nc:PersonBirthDate/", "nc:PersonBirthDay/", "nc:PersonBirthDay is no name of NIEM's"),
        ("hs:ChildWelfareCase/hs:Ref", "hs:TraffickingEvent/hs:Ref", "in that place"),
        ("path: hl:TribalNationCode", "path: xx:TribalNationCode", "no namespace here"),
        ("  venues:\n", "  venue:\n", "no row for venues"),
        ("constants:\n", "constant:\n", "constants"),
    ],
)
def test_a_table_that_is_not_niems_is_refused_at_start(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = TABLE.read_text()
    assert old in text
    wrong = tmp_path / "niem.yaml"
    wrong.write_text(text.replace(old, new, 1))
    with pytest.raises(Misconfigured, match=says):
        load_table(LISTED, wrong)
