"""Who polices a place at an hour: whole towns, parts of towns, hours of the clock on the wall."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.jurisdiction import CONNECTICUT, Beat, Hours, beats
from services.notify.directory.register import Directory

LOCAL = Hours(7 * 60, 24 * 60)
TROOP = Hours(0, 7 * 60)


def agency(number: int, kind: Kind, *written: str, **fields: Any) -> Agency:
    whole = frozenset(each for each in written if "/" not in each and "@" not in each)
    narrow = beats(each for each in written if each not in whole)
    name = f"Example {number}"
    return Agency(
        f"agy_{number:032x}", kind, name, "law_enforcement", whole, beats=narrow, **fields
    )


def directory(*agencies: Agency) -> Directory:
    districts = {"Groton": "New London", "Windham": "Windham", "Ledyard": "New London"}
    offices = {"Groton": ("Norwich", "Region 3"), "Windham": ("Willimantic", "Region 3")}
    return Directory(1, agencies, districts, offices)


TOWN = agency(1, Kind.MUNICIPAL_POLICE, "Groton", "Groton/groton_town")
CITY = agency(2, Kind.MUNICIPAL_POLICE, "Groton/groton_city")
POINT = agency(3, Kind.MUNICIPAL_POLICE, "Groton/groton_long_point")
WILLIMANTIC = agency(4, Kind.MUNICIPAL_POLICE, "Windham", "Windham/willimantic")
TROOP_K = agency(5, Kind.STATE_POLICE, "Windham", "Colchester@00:00-07:00")
CAMPUS = agency(6, Kind.CAMPUS_POLICE, "Windham/eastern_csu")
CONSTABLES = agency(7, Kind.MUNICIPAL_POLICE, "Colchester@07:00-24:00")
LEDYARD = agency(8, Kind.MUNICIPAL_POLICE, "Ledyard")
TRIBAL = agency(9, Kind.TRIBAL_POLICE, "Ledyard/mashantucket_pequot")
TROOP_E = agency(10, Kind.STATE_POLICE, "Ledyard/mashantucket_pequot")
STATE = agency(11, Kind.STATE_POLICE)
ALL = directory(
    TOWN, CITY, POINT, WILLIMANTIC, TROOP_K, CAMPUS, CONSTABLES, LEDYARD, TRIBAL, TROOP_E, STATE
)


@pytest.mark.parametrize(
    ("town", "district", "who"),
    [
        ("Groton", None, [TOWN]),
        ("Groton", "groton_town", [TOWN]),
        ("Groton", "groton_city", [CITY]),
        ("Groton", "groton_long_point", [POINT]),
        ("Groton", "yale", [TOWN]),
        ("Windham", None, [WILLIMANTIC, TROOP_K]),
        ("Windham", "willimantic", [WILLIMANTIC]),
        ("Windham", "eastern_csu", [CAMPUS]),
        ("Atlantis", None, []),
    ],
)
def test_c8_a_part_of_a_town_has_its_own_police_and_what_is_unknown_is_the_towns(
    town: str, district: str | None, who: list[Agency]
) -> None:
    assert ALL.police_of(town, district=district) == who


def test_c7_on_tribal_land_the_tribal_police_and_the_troop_are_named() -> None:
    assert ALL.police_of("Ledyard", district="mashantucket_pequot") == [TRIBAL, TROOP_E]
    assert ALL.police_of("Ledyard") == [LEDYARD]


@pytest.mark.parametrize(
    ("clock", "who"),
    [
        ("2026-03-03T06:59:59", TROOP_K),
        ("2026-03-03T07:00:00", CONSTABLES),
        ("2026-03-03T23:59:59", CONSTABLES),
        ("2026-03-04T00:00:00", TROOP_K),
        # The clocks go forward at 02:00 on 8 March, back at 02:00 on 1 November.
        ("2026-03-08T01:59:00", TROOP_K),
        ("2026-03-08T07:00:00", CONSTABLES),
        ("2026-11-01T01:30:00", TROOP_K),
        ("2026-11-01T06:59:00", TROOP_K),
    ],
)
def test_c8_colchester_is_policed_by_the_hour(clock: str, who: Agency) -> None:
    at = datetime.fromisoformat(clock).replace(tzinfo=CONNECTICUT)
    assert ALL.police_of("Colchester", at=at.astimezone(UTC)) == [who]


def test_c8_at_an_unknown_hour_both_are_responsible_for_colchester() -> None:
    assert ALL.police_of("Colchester") == [TROOP_K, CONSTABLES]


_FROM = datetime(2015, 1, 1, tzinfo=UTC)
INSTANTS = st.integers(0, 25 * 365 * 86400).map(lambda after: _FROM + timedelta(seconds=after))


@given(INSTANTS)
@example(datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC))
@example(datetime(2026, 3, 8, 7, tzinfo=UTC))
@example(datetime(2026, 11, 1, 5, 30, tzinfo=UTC))
@example(datetime(2026, 11, 1, 6, 30, tzinfo=UTC))
def test_c8_hours_that_share_the_day_leave_no_moment_to_both_or_to_nobody(at: datetime) -> None:
    assert LOCAL.include(at) != TROOP.include(at)
    assert len(ALL.police_of("Colchester", at=at)) == 1


@given(INSTANTS, st.integers(0, 1439), st.integers(1, 1440))
def test_hours_and_the_hours_between_them_are_the_whole_day(
    at: datetime, opens: int, closes: int
) -> None:
    if closes % 1440 == opens:
        return
    inside, outside = Hours(opens, closes), Hours(closes % 1440, opens or 1440)
    assert inside.include(at) != outside.include(at)
    assert inside.include(at) == inside.include(at.astimezone(CONNECTICUT))


@given(INSTANTS)
def test_the_clock_on_the_wall_counts_whatever_daylight_saving_does(at: datetime) -> None:
    wall = at.astimezone(CONNECTICUT)
    assert Hours(wall.hour * 60 + wall.minute, 1440).include(at)
    later = (wall.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=CONNECTICUT)
    same_clock = later.astimezone(UTC).astimezone(CONNECTICUT).time() == wall.time()
    if same_clock:
        assert LOCAL.include(at) == LOCAL.include(later)


@given(INSTANTS, st.sampled_from(["Groton", "Windham", "Colchester", "Ledyard"]))
def test_hours_and_parts_never_leave_a_town_without_its_police(at: datetime, town: str) -> None:
    parts = [None, "groton_city", "eastern_csu", "mashantucket_pequot", "bradley_airport"]
    assert all(ALL.police_of(town, district=part, at=at) for part in parts)


def test_a_gap_in_the_hours_drops_no_duty() -> None:
    nights = directory(agency(1, Kind.MUNICIPAL_POLICE, "Groton@18:00-06:00"))
    noon = datetime(2026, 3, 3, 12, tzinfo=CONNECTICUT)
    assert len(nights.police_of("Groton", at=noon)) == 1


@pytest.mark.parametrize(
    "written", ["Groton", "Groton/groton_city", "Colchester@07:00-24:00", "East Lyme/x@22:00-06:00"]
)
def test_a_beat_reads_back_as_it_was_written(written: str) -> None:
    assert str(Beat.parse(written)) == written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "groton",
        "Groton/",
        "Groton/City",
        "Groton@7-9",
        "Groton@24:00-07:00",
        "Groton@07:00-07:00",
        "Groton@07:00-25:00",
        "Groton@07:60-08:00",
    ],
)
def test_what_is_no_beat_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"beat|hours|minute"):
        Beat.parse(written)


def test_offices_narrow_to_the_area_then_the_region_then_everybody() -> None:
    area = agency(1, Kind.HART_LIAISON, offices=frozenset({"Norwich"}))
    region = agency(2, Kind.HART_LIAISON, offices=frozenset({"Region 3"}))
    everywhere = agency(3, Kind.HART_LIAISON)
    found = directory(area, region, everywhere)
    assert found.office_of("Groton", Kind.HART_LIAISON) == [area]
    assert found.office_of("Windham", Kind.HART_LIAISON) == [region]
    assert found.office_of("Atlantis", Kind.HART_LIAISON) == [everywhere]
    assert found.office_of("Groton", Kind.SIU) == []


def test_an_agency_is_found_by_id_code_or_name() -> None:
    mine = agency(1, Kind.MUNICIPAL_POLICE, "Groton", code="groton_police")
    found = directory(mine)
    for called in (mine.agency_id, "groton_police", "GROTON_POLICE", " example  1 "):
        assert found.called(called) == [mine]
    assert found.called("somebody else") == []


def test_c16_a_member_of_a_roll_belongs_to_whom_it_is_affiliated_with() -> None:
    member = agency(1, Kind.MDT_MEMBER, code="mdt_1", affiliations=frozenset({"groton_police"}))
    assert member.belongs_to("groton_police")
    assert member.belongs_to("mdt_1")
    assert not member.belongs_to("derby_police")


def test_a_troop_polices_as_troopers_and_the_state_police_as_a_whole_do_not() -> None:
    assert TROOP_K.polices_as_trooper
    assert not STATE.polices_as_trooper
    assert not CONSTABLES.polices_as_trooper
    assert ALL.statewide_police() == [STATE]
