"""What notify's own look says of towns, of what runs out, of synthetic referrals and of rosters."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.notify.directory.coverage import Gap
from services.notify.oncall.roster import Roster
from services.notify.oncall.roster_file import NOBODY, RosterFile
from services.notify.settings import NotifySettings
from services.notify.telling_checks import of_drill, of_ends, of_gaps, of_roster
from shared.runtime.findings import Level
from shared.runtime.settings import Profile
from tests.support.rosters import roster

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
DAY = NOW.date()


def test_a_town_that_nobody_lawful_serves_is_named_with_the_reason() -> None:
    (found,) = of_gaps(169, [Gap("Ansonia", "police", "nobody on file")] * 7)
    assert found.level is Level.ACT
    assert "Ansonia: no lawful police: nobody on file" in found.says
    assert found.says.endswith("and 2 more.")
    assert of_gaps(169, [])[0].says == "All 169 have lawful police and MDT recipients."


def test_what_ended_is_worse_than_what_will_and_the_first_to_end_comes_first() -> None:
    ends = [
        ("agy_1", "MOU", DAY + timedelta(days=30)),
        ("agy_2", "key", DAY - timedelta(days=1)),
        ("agy_3", "authority", DAY + timedelta(days=31)),
    ]
    first, second = of_ends(ends, DAY)
    assert (first.level, second.level) == (Level.ACT, Level.LOOK)
    assert "The key of agy_2 ended on 2026-03-02" in first.says
    assert "enrol a new one" in first.do
    assert of_ends([("agy_1", "key", date(2030, 1, 1))], DAY)[0].level is Level.WELL


@pytest.mark.parametrize(
    ("seconds", "sent", "profile", "level"),
    [
        (20, True, Profile.PRODUCTION, Level.WELL),
        (301, True, Profile.PRODUCTION, Level.ACT),
        (None, True, Profile.PRODUCTION, Level.ACT),
        (None, False, Profile.PRODUCTION, Level.LOOK),
        (None, False, Profile.DEVELOPMENT, Level.WELL),
    ],
)
def test_synthetic_referrals_that_fall_silent_are_told(
    seconds: int | None, sent: bool, profile: Profile, level: Level
) -> None:
    last = None if seconds is None else NOW - timedelta(seconds=seconds)
    assert of_drill(last, NOW, sent=sent, profile=profile)[0].level is level


def of_days(*days: str) -> Roster:
    duty = [{"people": ["ann"], "days": list(days)}]
    desk = roster({})["roles"]["desk"]
    return RosterFile.model_validate(roster({}, roles={"duty": duty, "desk": desk})).roster()


def settings_of(profile: Profile) -> NotifySettings:
    return NotifySettings.model_construct(profile=profile, pager_fallback=None)


WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.mark.parametrize(
    ("days", "level", "said"),
    [
        (WEEK, Level.WELL, "now and for a week"),
        (WEEK[:5], Level.LOOK, "duty: NOBODY from Sat 2026-03-07 00:00 EST until Mon 2026-03-09"),
        (("mon", "sun"), Level.ACT, "duty: NOBODY now, until Sun 2026-03-08 00:00 EST"),
    ],
)
def test_p9_nobody_on_call_is_said_before_it_comes(
    days: tuple[str, ...], level: Level, said: str
) -> None:
    """The desk, whose tasks wait for its hours, is no hole at night."""
    (found,) = of_roster(of_days(*days), NOW, settings_of(Profile.PRODUCTION))
    assert found.level is level
    assert said in found.says
    assert (found.level is Level.WELL) or "pages that do not get through" in found.do


def test_without_a_roster_a_production_profile_says_so() -> None:
    assert of_roster(NOBODY, NOW, settings_of(Profile.DEVELOPMENT))[0].level is Level.WELL
    assert of_roster(NOBODY, NOW, settings_of(Profile.PRODUCTION))[0].level is Level.ACT
