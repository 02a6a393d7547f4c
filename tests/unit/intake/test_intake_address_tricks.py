"""A protected home leaves in no copy and no telling, however it is disguised (C25, P4)."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.address_words import villages
from services.intake.codes import code_lists
from services.intake.contradictions import _household_flaws
from services.intake.masks import WITHHELD, mask, without_address
from services.intake.niem.table import load_table
from services.intake.niem.view import child as niem
from services.intake.projections import copies, load_profiles
from services.intake.schemas import Child
from services.intake.towns import load_towns
from shared.contracts.codes import HtType

PROFILES = load_profiles()
TABLE = load_table(frozenset().union(*PROFILES.values()))
NAMES = sorted(
    {(town, each) for town in load_towns() for each in (town, *villages().get(town, ()))}
)
FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("0"), ord("z") + 1) if chr(code).isalnum()}


def home(**fields: Any) -> dict[str, Any]:
    return {
        "address_confidential": True,
        "residence_town": "Windham",
        "residence_address": "12 Elm Street, Apt 4",
    } | fields


def told(text: str, **fields: Any) -> str:
    found: str = without_address(home(**fields), text)
    return found


def bare(text: object) -> str:
    """Only the letters and digits that a reader sees."""
    whole = unicodedata.normalize("NFKD", json.dumps(text, ensure_ascii=False)).casefold()
    return re.sub(r"[\W_]", "", "".join(c for c in whole if unicodedata.category(c) != "Mn"))


def test_c25_a_postal_name_in_the_address_alone_tells_the_town() -> None:
    unknown = home(residence_town=None, residence_address="12 Elm Street, Storrs CT")
    shown = mask(unknown | {"incident_towns": ["Mansfield", "Derby"], "how_known": "In Mansfield."})
    assert shown["incident_towns"] == ["Derby"]
    assert shown["how_known"] == f"In {WITHHELD}."


def test_c25_a_zip_code_that_no_address_holds_is_withheld() -> None:
    assert told("ZIP 06226, or 06256-1234") == f"ZIP {WITHHELD}, or {WITHHELD}"
    assert told("ref 1062261, in 2006") == "ref 1062261, in 2006"


@pytest.mark.parametrize(
    "text",
    [
        "windhamhigh",
        "theWindhamMall",
        "W-i-n-d-h-a-m",
        "w i n d h a m",
        "Wind-\nham",
        "Wíndham",
        "Wi\u034fndham",
        "Windham2",
        "the_windham_mall",
        "Windhams",
    ],
)
def test_c25_a_town_within_or_between_other_signs_is_found(text: str) -> None:
    assert "windham" not in bare(told(text))


@pytest.mark.parametrize(
    "text", ["on Elm St.", "12Elm", "12 Elm", "at ELM STREET", "12-elm-str", "１２ Elm St"]
)
def test_c25_the_street_is_found_without_its_number_or_suffix(text: str) -> None:
    assert "elm" not in bare(told(text))


def test_c25_the_apartment_goes_with_the_street() -> None:
    assert told("12 Elm St, Apartment 4") == f"{WITHHELD}, {WITHHELD}"


def test_c25_what_stands_beside_a_disguised_name_stays_as_it_was() -> None:
    assert told("Ｎear Ｗ\u200bindham\u200b, ①") == f"Ｎear {WITHHELD}, ①"


def test_c25_another_town_whose_name_holds_this_one_stays_whole_in_a_list_and_goes_in_a_text() -> (
    None
):
    shown = mask(
        home(residence_town="Haddam")
        | {"incident_towns": ["East Haddam"], "other_concerns": "East Haddam"}
    )
    assert shown["incident_towns"] == ["East Haddam"]
    assert shown["other_concerns"] == WITHHELD


def test_c25_no_code_of_a_list_is_spoilt_where_a_copy_may_show_it() -> None:
    """Places are masked whole, and are not among these."""
    whole = {"police_district", "tribal_nation"}
    codes = [c.code for each in code_lists().lists if each.name not in whole for c in each.codes]
    for town in load_towns():
        assert without_address(home(residence_town=town, residence_address=None), codes) == codes


def test_c25_a_sibling_at_another_spelling_of_the_address_must_be_marked() -> None:
    known: dict[str, Any] = {"ht_type": HtType.SEX, "reasons_for_suspicion": "An example reason."}
    marked = Child(**known, **home())
    other = Child(**known, residence_address="12 ELM ST. apartment 4")
    (flaw,) = _household_flaws([marked, other])
    assert flaw.path == ("children", 1, "address_confidential")


def test_c25_p4_the_copy_of_a_child_beside_a_participant_shows_nothing_of_their_town() -> None:
    beside = {
        "residence_town": "Windham",
        "residence_address": "5 Oak Road, Willimantic",
        "incident_towns": ["Windham", "Derby"],
        "incident_places": [{"kind": "in_state", "town": "Windham"}],
        "facility": "Windham House",
        "other_concerns": "With the other at 12 Elm St.",
        "ht_type": "sex",
    }
    for copy in copies(beside, PROFILES, [home(), beside]).values():
        for secret in ("windham", "willimantic", "elmst"):
            assert secret not in bare(copy.content)
    assert mask(beside, [home(address_confidential=False)])["residence_town"] == "Windham"


TRICKS: Mapping[str, Callable[[str], str]] = {
    "together": lambda text: text.replace(" ", ""),
    "hyphens": lambda text: text.replace(" ", "-"),
    "newline": lambda text: text.replace(" ", "\n"),
    "upper": str.upper,
    "lower": str.lower,
    "wide": lambda text: text.translate(FULL_WIDTH),
    "invisible": "\u200b".join,
    "soft": "\u00ad".join,
    "short": lambda text: text.replace("Street", "St").replace("Apt", "Apartment"),
}


def disguised(text: str, how: list[str]) -> str:
    for trick in how:
        text = TRICKS[trick](text)
    return text


@settings(deadline=None, max_examples=150)
@given(
    where=st.sampled_from(NAMES),
    how=st.lists(st.sampled_from(sorted(TRICKS)), max_size=4, unique=True),
    before=st.sampled_from(["", "in ", "(", "at: ", "the_"]),
    after=st.sampled_from(["", ".", "'s", "s", "_mall", ", CT"]),
    street=st.sampled_from(["12 Elm Street Apt 4", "9 North Example Lane"]),
)
def test_c25_no_disguise_gets_a_home_into_a_copy_niem_823_or_an_outcome(
    where: tuple[str, str], how: list[str], before: str, after: str, street: str
) -> None:
    town, name = where
    text = f"{before}{disguised(name, how)}{after}"
    place = disguised(street, how)
    typed = {"other_concerns": text, "nature_and_extent": place, "current_location": text}
    person = {"name": "Example Person", "address": place, "description": text}
    known = home(residence_town=town, residence_address=street, ht_type="sex", **typed)
    known["suspected_persons"] = [person]
    sibling = {"ht_type": "sex", "residence_town": town, **typed, "suspected_persons": [person]}
    shown: list[object] = []
    for document in (known, sibling):
        for copy in copies(document, PROFILES, [known, sibling]).values():
            shown += [copy.content, niem(copy.content, TABLE)]
        told = {"narrative": text, "placement": place, "scale": {"reasons": text}}
        shown.append(without_address(document, told, [known, sibling]))
    left = [bare(value) for each in shown for value in texts(each)]
    secrets = [bare(name), "elm", "example" + "lane"]
    assert not [value for value in left for secret in secrets if secret in value]


def texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []
