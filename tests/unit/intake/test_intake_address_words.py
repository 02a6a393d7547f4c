"""Where a protected child lives is found however it is written (C25, P4)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.address_words import pattern, villages, without
from services.intake.masks import WITHHELD, mask, without_address
from services.intake.towns import load_towns
from shared.runtime.seen_text import plain

HOME = {
    "address_confidential": True,
    "residence_town": "Windham",
    "residence_address": "12 Elm Street, Apt 4, Windham 06226",
}


def told(text: str) -> str:
    found: str = without_address(HOME, text)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "Seen in Willimantic",
        "Seen in NORTH  windham",
        "Goes to WindhamHigh",
        "Lives in ＷＩＮＤＨＡＭ",
        "Lives in Wind\u200bham",
        "Lives in Wind\u00adham",
        "Stays at 12 Elm St",
        "Stays at 12 Elm St., with him",
        "Stays at 12 elm STREET, Apartment 4",
        "His post goes to 06226",
    ],
)
def test_c25_no_way_of_writing_it_gives_the_home_away(text: str) -> None:
    shown = told(text)
    assert WITHHELD in shown
    seen = plain(shown).casefold()
    for secret in ("windham", "willimantic", "elm", "06226"):
        assert secret not in seen


def test_c25_a_town_of_two_words_is_found_as_one() -> None:
    home = {"address_confidential": True, "residence_town": "New Haven"}
    assert (
        without_address(home, "from NewHaven, and Fair Haven") == f"from {WITHHELD}, and {WITHHELD}"
    )


@pytest.mark.parametrize("text", ["At 1 Oak Street in Derby", "Kentucky", "Ａ full-width letter"])
def test_what_holds_none_of_it_stays_exactly_as_it_was(text: str) -> None:
    home = HOME | {"residence_town": "Kent"}
    assert without_address(home, text) == text


def test_nothing_is_masked_of_whom_nobody_protects() -> None:
    assert without_address(HOME | {"address_confidential": False}, "Windham") == "Windham"


def test_c25_a_suspect_at_the_same_home_keeps_no_address_that_shows_it() -> None:
    person = {"name": "Example Person", "address": "12 Elm St, Apartment 4"}
    shown = mask(HOME | {"suspected_persons": [person]})
    assert "elm" not in json.dumps(shown).casefold()


@given(
    town=st.sampled_from(sorted(load_towns())),
    how=st.sampled_from([str.upper, str.lower, lambda t: t.replace(" ", ""), lambda t: f" {t} "]),
    before=st.sampled_from(["", "in ", "(", "at: "]),
    hidden=st.booleans(),
)
def test_c25_whatever_the_town_its_name_and_its_villages_do_not_leave(
    town: str, how: "object", before: str, hidden: bool
) -> None:
    assert callable(how)
    secret = pattern(town, "")
    for name in (town, *villages().get(town, ())):
        written = how(name)
        if hidden:
            written = "\u200b".join(written)
        left = without(f"{before}{written}.", secret, WITHHELD)
        assert how(name).strip().casefold() not in plain(left).casefold()


def test_every_town_of_the_table_is_one_of_the_169() -> None:
    assert set(villages()) <= load_towns()
