"""What a task about clocks says by now: who was told, when, how late, and whose lateness it was."""

from datetime import UTC, datetime, timedelta

from services.notify.tasks.breaches import Clock, Known, Leg, by_now

DUE = datetime(2026, 11, 26, 9, 16, 14, tzinfo=UTC)
LATER = DUE + timedelta(hours=1, seconds=1)
POLICE = Clock("chd_1", "LE12", "local_law_enforcement", DUE)
FBI = Clock("chd_1", "FBI12", "federal_law_enforcement", DUE)
CONSULT = Clock("chd_1", "HART72", None, DUE)


def leg(clock: Clock, told_at: datetime | None) -> Leg:
    return Leg(clock.child_id, str(clock.role), told_at)


def test_once_all_are_told_nobody_needs_to_be_telephoned() -> None:
    said = by_now([POLICE, FBI], Known([leg(POLICE, DUE), leg(FBI, LATER)], None))
    assert "the last at 2026-11-26T10:16:15Z, 1 h 0 min late" in said
    assert "nobody needs to be telephoned" in said
    assert "NOT TOLD" not in said


def test_whoever_is_not_told_is_named_with_what_to_look_at_first() -> None:
    said = by_now([POLICE, FBI], Known([leg(POLICE, LATER), leg(FBI, None)], None))
    assert said.startswith("NOT TOLD YET: federal_law_enforcement of child chd_1. Look at GET")
    assert "Everybody else has been told." in said
    assert "nobody needs" not in said


def test_a_role_is_told_only_with_all_its_recipients_and_with_one_at_least() -> None:
    for legs in ([], [leg(POLICE, LATER), leg(POLICE, None)]):
        assert by_now([POLICE], Known(legs, None)).startswith("NOT TOLD YET: local_law_enforcement")


def test_of_another_childs_recipient_nothing_follows() -> None:
    other = Clock("chd_2", "LE12", POLICE.role, DUE)
    assert "NOT TOLD YET: local_law_enforcement of child chd_2." in by_now(
        [POLICE, other], Known([leg(POLICE, LATER)], None)
    )


def test_a_referral_that_came_after_its_time_is_said_to_have_come_late() -> None:
    known = Known([leg(POLICE, LATER)], DUE + timedelta(hours=1))
    assert by_now([POLICE], known).endswith(
        "The referral came to Hartline only at 2026-11-26T10:16:14Z, 1 h 0 min after the first "
        "had run out: find out why it came so late."
    )
    in_time = Known([leg(POLICE, LATER)], DUE - timedelta(hours=12))
    assert "find out why" not in by_now([POLICE], in_time)


def test_told_in_time_after_all_is_not_called_late() -> None:
    said = by_now([POLICE], Known([leg(POLICE, DUE - timedelta(minutes=1))], None))
    assert ", in time: nobody" in said


def test_of_a_duty_that_is_no_recipients_it_says_where_to_look() -> None:
    said = by_now([CONSULT], Known([], None))
    assert said == "Whether the duty is done by now, GET /v1/referrals/…/clocks says."
