"""What is coded of a child, how it is shown, and what a restatement records."""

from datetime import UTC, date, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from services.intake.codes import code_lists
from services.intake.statistics import categories, picture, restating
from services.intake.statistics.exporting import period
from services.intake.statistics.facts import Facts, code, month_of, unreadable
from services.intake.statistics.pseudonyms import LENGTH, Pseudonyms
from services.intake.statistics.records import Export, ExportKind, Format, Reason, Release
from services.intake.statistics.restating import COUNTED_AGAIN, Change, changes
from services.intake.statistics.showing import WITHHELD, rates, release_csv, show
from services.intake.statistics.tables import build

KEYS = Pseudonyms(b"k" * 32)
AT = datetime(2017, 6, 15, 12, tzinfo=UTC)


def coded(**fields: Any) -> Facts:
    return code(fields, AT, {"Hartford", "Ansonia"}, KEYS)


@pytest.mark.parametrize(
    ("years", "band"),
    [
        (0, "10_and_under"),
        (10, "10_and_under"),
        (11, "11_to_12"),
        (12, "11_to_12"),
        (13, "13_to_14"),
        (14, "13_to_14"),
        (15, "15_to_16"),
        (16, "15_to_16"),
        (17, "17_to_18"),
        (18, "17_to_18"),
        (19, "over_18"),
        (120, "over_18"),
    ],
)
def test_every_age_is_in_one_band(years: int, band: str) -> None:
    assert categories.band_of(years) == band


def test_c19_the_age_is_computed_at_victimisation_to_the_day() -> None:
    born = date(2000, 2, 29)
    assert categories.age_band(born, date(2011, 2, 28), None, None) == "10_and_under"
    assert categories.age_band(born, date(2011, 3, 1), None, None) == "11_to_12"


def test_c19_both_dates_outweigh_a_stated_age_and_that_a_band() -> None:
    dates = (date(2000, 1, 1), date(2013, 6, 1))
    assert categories.age_band(*dates, 17, "over_18") == "13_to_14"
    assert categories.age_band(None, dates[1], 17, "over_18") == "17_to_18"
    assert categories.age_band(None, None, None, "over_18") == "over_18"


def test_c20_an_age_at_the_report_is_no_age_at_victimisation() -> None:
    assert coded(age_years=15, date_of_birth="2002-01-01").age_band == "unknown"
    assert coded(date_of_birth="2002-01-01", victimised_on="2001-01-01").age_band == "unknown"


def test_c36_two_known_races_are_multi_racial_and_unknown_beside_one_is_that_one() -> None:
    assert coded(race_ethnicity=["hispanic", "asian"]).race == "multi_racial"
    assert coded(race_ethnicity=["unknown", "asian"]).race == "asian"
    assert coded(race_ethnicity=["asian", "asian"]).race == "asian"
    assert coded().race == coded(race_ethnicity=["martian"]).race == "unknown"


def test_what_is_no_row_counts_as_unknown_so_that_every_table_totals_the_same() -> None:
    facts = coded(
        residence_at_exploitation="moon", sex="x", ht_type="x", venues=["x", "street_based"]
    )
    assert facts.residence == "missing_unknown"
    assert (facts.gender, facts.ht_type) == ("unknown", "other")
    assert facts.venues == ("other", "street_based")
    assert unreadable(AT).venues == coded().venues == ("unknown",)


def test_towns_are_the_169_and_places_and_none_of_a_confidential_child() -> None:
    kinds = ("in_state", "internet", "out_of_country", "unknown")
    places = [{"kind": kind} for kind in kinds]
    named = {"incident_towns": ["Hartford", "Elsewhere"], "incident_places": places}
    assert set(coded(**named).towns) == {KEYS.town("Hartford"), "internet", "out_of_country"}
    assert coded(**named, address_confidential=True).towns == ("unknown",)


def test_pseudonyms_are_short_keyed_and_apart_by_kind() -> None:
    other = Pseudonyms(b"o" * 32)
    assert len(KEYS.child("chd_x")) == LENGTH
    assert KEYS.child("chd_x") != KEYS.person("chd_x") != other.person("chd_x")
    assert KEYS.facility("Example House, Inc.") == KEYS.facility("example  house INC")


def test_the_month_is_connecticuts() -> None:
    assert month_of(datetime(2018, 1, 1, 4, 59, tzinfo=UTC)) == 2017 * 12 + 11
    assert month_of(datetime(2018, 1, 1, 5, 0, tzinfo=UTC)) == 2018 * 12


def test_a_change_is_recorded_only_for_released_years_and_names_columns_not_codes() -> None:
    before, after = coded(race_ethnicity=["asian"]), coded(race_ethnicity=["other"])
    assert changes(before, after, "received", {2017}) == [Change(2017, "corrected", ("race",))]
    assert changes(before, after, "received", {2016}) == []
    assert changes(None, after, "received", {2017}) == [Change(2017, "received")]
    assert changes(before, None, "embargoed", {2017}) == [Change(2017, "embargoed")]
    assert changes(before, before, COUNTED_AGAIN, {2017}) == []
    assert changes(None, None, "embargoed", {2017}) == []


def test_a_child_that_moves_to_another_year_is_a_change_in_both() -> None:
    later = code({}, datetime(2018, 6, 1, tzinfo=UTC), (), KEYS)
    found = changes(coded(), later, "received", {2017, 2018})
    assert found == [Change(2017, "corrected", ("month",)), Change(2018, "corrected", ("month",))]


def test_a_difference_that_no_table_names_is_called_other() -> None:
    assert restating.differing(coded(), coded(facility="Example House")) == ("other",)


def test_periods_are_a_month_and_a_federal_fiscal_year() -> None:
    def export(kind: ExportKind, month: int | None) -> Export:
        return Export("exp_x", kind, 2017, month, Format.JSON, "a", AT)

    first, end = period(export(ExportKind.NCANDS_YEARLY, None))
    assert (first, end) == (2016 * 12 + 9, 2017 * 12 + 9)
    assert period(export(ExportKind.HART_MONTHLY, 12)) == (2017 * 12 + 11, 2018 * 12)


def a_release(**residence: int) -> Release:
    counts = {
        "total": {"referrals": sum(residence.values())},
        "residence_at_exploitation": residence,
        "town": {"Hartford": 120, "Ansonia": 5},
    }
    tables = build(counts, ["Ansonia", "Hartford"])
    hidden = frozenset({"residence_at_exploitation.shelter", "town.Ansonia"})
    return Release(7, 2017, AT, "somebody", Reason.YEARLY, tables, hidden, 0)


def test_the_picture_is_well_formed_and_shows_the_same_figures_and_never_more() -> None:
    release = a_release(parent_guardian_home=141, shelter=9, foster_home=62)
    assert release.withheld is not None
    tables = show(release.tables, release.withheld)
    drawn = ElementTree.fromstring(picture.draw(release, tables))
    words = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"141", "62", WITHHELD} <= set(words)
    assert "9" not in words
    longer = a_release(parent_guardian_home=141, shelter=9, foster_home=62)
    again = show(longer.tables, longer.withheld or ())
    assert picture.draw(longer, again) == picture.draw(release, tables)


def test_a_withheld_count_changes_nothing_in_picture_or_csv() -> None:
    def of(shelter: int) -> tuple[str, str]:
        release = a_release(parent_guardian_home=150 - shelter, shelter=shelter)
        hidden = frozenset(
            {"residence_at_exploitation.shelter", "residence_at_exploitation.parent_guardian_home"}
        )
        shown = show(release.tables, hidden)
        return picture.draw(release, shown), release_csv(release, hidden)

    assert of(3) == of(8)


def test_a_row_of_zero_is_a_row() -> None:
    release = a_release(parent_guardian_home=141)
    lines = release_csv(release, frozenset()).splitlines()
    assert "7,2017,Residence at Time of Exploitation,Detention,0," in lines
    assert len(lines) == 1 + sum(len(table.rows) for table in release.tables)


def test_a_rate_needs_a_denominator_and_a_count_that_is_shown() -> None:
    release = a_release(parent_guardian_home=141)
    tables = show(release.tables, {"town.Ansonia"})
    given = {"Hartford": 30_000, "Ansonia": 4_000}
    assert rates(tables, given) == [("Hartford", 120, 30_000, "4.0")]
    assert rates(tables, {}) == []


def test_every_code_that_a_referral_may_use_is_a_row() -> None:
    rows = {
        "venue": categories.VENUES,
        "age_band": categories.AGE,
        "residence_at_exploitation": categories.RESIDENCE,
        "race_ethnicity": categories.RACE_ETHNICITY,
        "sex": categories.GENDER,
        "ht_type": categories.HT_TYPE,
        "incident_place_kind": {"in_state": "a town"} | categories.PLACES,
    }
    for name, known in rows.items():
        codes = {each.code for each in code_lists()[name].codes}
        assert codes == set(known) - {"multi_racial"}, name
