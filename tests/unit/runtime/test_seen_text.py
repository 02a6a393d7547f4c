"""What looks alike is one person's name, wherever two people are needed."""

import pytest

from shared.runtime.seen_text import same_person


@pytest.mark.parametrize(
    "other",
    [
        "maker ",
        " maker",
        "Maker",
        "ma\u200bker",
        "ma\u043aer",
        "\u041caker",
        "\uff4daker",
        "m\u00e1ker",
    ],
    ids=["blank", "before", "capital", "unseen", "cyrillic", "capital cyrillic", "wide", "accent"],
)
def test_what_looks_like_the_first_person_is_no_second(other: str) -> None:
    assert same_person("maker", other)
    assert same_person(other, "maker")


@pytest.mark.parametrize(
    ("one", "other"), [("maker", "checker"), ("jane.doe", "jane_doe"), ("maker1", "maker2")]
)
def test_other_names_are_other_people(one: str, other: str) -> None:
    assert not same_person(one, other)
