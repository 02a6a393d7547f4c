"""What a restored database does not know of is named, and found again or not."""

from datetime import UTC, datetime

from hartline_careline.answers import Referral

from tests.chaos.agencies import Arrival
from tests.drill.losses import compare, lost, renumbered, uncovered
from tests.drill.phone import Acknowledged

AT = datetime(2026, 11, 26, tzinfo=UTC)


def acknowledged(key: str, number: str) -> Acknowledged:
    referral = Referral(f"ref_{number}", number, 1, AT, AT, False, (f"chd_{number}",))
    return Acknowledged(key, referral, AT.timestamp())


def arrival(notice_id: str, *, agency_id: str = "agy_1", mark: str = "mark-1-0") -> Arrival:
    return Arrival(
        *(AT.timestamp(), notice_id, agency_id, "fbi", "N", "chd_1", 1, "notice", "fine"), (mark,)
    )


def test_what_was_acknowledged_and_is_not_kept_is_lost_by_name() -> None:
    told = [acknowledged("a", "1"), acknowledged("b", "2")]
    assert lost(told, {"ref_1"}) == [told[1]]


def test_a_lost_referral_that_was_sent_again_has_a_new_number() -> None:
    gone = [acknowledged("a", "1"), acknowledged("b", "2")]
    assert renumbered(gone, [*gone, acknowledged("b", "9")]) == {"1": None, "2": "9"}


def test_receivers_notices_are_on_record_or_due_again_or_unknown() -> None:
    recorded, due, unknown = (arrival(each) for each in ("ntc_1", "ntc_2", "ntc_3"))
    found = compare([recorded, due, unknown], {"ntc_1": 1}, {"ntc_1", "ntc_2"})
    assert (found.recorded, found.due_again, found.unknown) == ([recorded], [due], [unknown])
    assert found.unrecorded == [due, unknown]


def test_p2_a_recipient_that_was_told_off_the_record_must_be_told_again_on_it() -> None:
    held = [
        arrival("ntc_1"),
        arrival("ntc_2", agency_id="agy_2"),
        arrival("ntc_3", mark="mark-2-0"),
    ]
    assert uncovered(held, [arrival("ntc_9")]) == ["ntc_2 at agy_2", "ntc_3 at agy_1"]


def test_a_retry_that_nobody_recorded_is_due_again() -> None:
    first, retry = arrival("ntc_1"), arrival("ntc_1")
    found = compare([first, retry], {"ntc_1": 1}, {"ntc_1"})
    assert (found.recorded, found.due_again, found.unknown) == ([first], [retry], [])
