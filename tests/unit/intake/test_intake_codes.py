"""Code lists: data with a source, checked before anything runs."""

from pathlib import Path

import pytest
import yaml

from services.intake.codes import LISTS, code_lists, load_code_lists
from services.intake.towns import load_towns
from shared.runtime.errors import Misconfigured


def test_every_list_says_where_it_comes_from() -> None:
    for each in code_lists().lists:
        assert each.source
        assert each.title


def test_every_place_lies_in_a_town_of_connecticut() -> None:
    placed = {code.town for each in code_lists().lists for code in each.codes} - {None}
    assert placed
    assert placed <= load_towns()


def test_the_rows_of_the_2018_presentation_are_there_in_its_order() -> None:
    labels = [code.label for code in code_lists()["residence_at_exploitation"].codes]
    assert labels == [
        "Parent/guardian home",
        "AWOL/runaway",
        "Foster home",
        "Congregate care",
        "Relative/other home",
        "Detention",
        "Shelter",
        "Missing/unknown",
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("code: sex_and_labor,", "code: sex,", "ht_type has sex twice"),
        ("code: ems,", "code: ambulance,", "source_type must hold exactly the codes of"),
        ("name: venue", "name: ht_type", "the list ht_type is there twice"),
        ("title: Venue of the trafficking", "titel: Venue", r"lists\.2\.title"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_at_start(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = LISTS.read_text()
    assert old in text
    wrong = tmp_path / "code_lists.yaml"
    wrong.write_text(text.replace(old, new, 1))
    with pytest.raises(Misconfigured, match=says):
        load_code_lists(wrong)


def test_no_code_is_something_else_to_a_reader_of_yaml() -> None:
    raw = yaml.safe_load(LISTS.read_text())["lists"]
    assert all(isinstance(code["code"], str) for each in raw for code in each["codes"])
