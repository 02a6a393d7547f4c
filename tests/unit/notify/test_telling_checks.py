"""What notify's own look says of towns, of what runs out, of synthetic referrals and of rosters."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.notify.directory.coverage import Gap
from services.notify.telling_checks import of_drill, of_ends, of_gaps
from shared.runtime.findings import Level
from shared.runtime.settings import Profile

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
