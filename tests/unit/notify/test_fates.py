"""What is said of a planned leg is what is true of it: told is who has it, and nobody else."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.notify.fates import PlannedFate, fate_of, words
from services.notify.legs import LegStatus, as_its_agency_sees
from services.notify.planning.plan import DeliveryState
from shared.contracts.codes import RefusalReason

NOW = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
LEG = LegStatus(
    notice_id="ntc_one",
    child_id="chd_one",
    agency_id="agy_one",
    role="local_law_enforcement",
    recipient="Example Police",
    because="Example Police: incident town, CGS 17a-101b(c)",
    version=1,
    kind="original",
    state="pending",
    reason=None,
    attempts=0,
    planned_at=NOW,
    delivered_at=None,
    authority="CGS 17a-28",
    rule="careline.local_police",
    rules_version="2026-2",
    directory_version=1,
    profile="law_enforcement",
    fields=("ht_type", "name"),
    also=(),
    may_hold=False,
    in_conflict=False,
)
DELIVERED: dict[str, Any] = {"state": "delivered", "delivered_at": NOW}
POINTED: dict[str, Any] = {**DELIVERED, "unread": True}
HOLDS: dict[str, Any] = {"may_hold": True}
OPENED: dict[str, Any] = {**DELIVERED, **HOLDS, "opened_at": NOW}


@pytest.mark.parametrize(
    ("leg", "fate", "begins"),
    [
        ({}, "pending", "To be told."),
        ({"state": "blocked"}, "pending", "To be told once an earlier attempt has ended."),
        ({"held": True}, "held", "Held, and not told yet: nothing is sent to it for now"),
        ({"state": "attempting", **HOLDS}, "sending", "Being told: an attempt is under way."),
        (HOLDS, "uncertain", "Sent, and not accepted or never answered: it may hold it"),
        ({**DELIVERED, **HOLDS}, "told", "Told: it was sent, and its system answered"),
        (POINTED, "pointed", "Not told yet: a pointer without content arrived"),
        ({**POINTED, **HOLDS}, "uncertain", "Sent, and not accepted or never answered"),
        (OPENED, "opened", "Told: a person of its own opened it."),
        ({**OPENED, "told_orally": True}, "told_orally", "Told by word of mouth."),
        ({**OPENED, "acknowledged_at": NOW}, "acknowledged", "Told, and it has acknowledged"),
        ({**DELIVERED, **HOLDS, "recalled": True}, "recalled", "Told by mistake, or may have"),
        ({"state": "closed", "recalled": True}, "recalled", "Not told, and not to be"),
        ({"state": "superseded"}, "superseded", "Not told: overtaken by a later version"),
        ({"state": "withdrawn"}, "withdrawn", "Not told: the referral was entered in error."),
        ({"state": "refused"}, "refused", "Not told: the law no longer permitted it"),
        (
            {"state": "closed", "closed_because": "told_by_other_means"},
            "closed",
            "Not told by Hartline: a person closed it (told by other means).",
        ),
        ({"state": "closed"}, "closed", "Not told by Hartline: the content about the child was"),
        (
            {"reason": RefusalReason.AUTHORITY_EXPIRED.value, "state": "refused"},
            "refused",
            "Not told: its authority has expired.",
        ),
        ({"reason": "conflict_of_interest", "state": "refused"}, "suppressed", "Not told: Example"),
        (
            {"state": "refused", "conflict_lifted": True},
            "refused",
            "Not told: a conflict of interest held it back, and was lifted since",
        ),
        ({"in_conflict": True}, "suppressed", "Stopped: a conflict of interest was asserted"),
    ],
)
def test_a_leg_is_said_to_be_what_it_is(leg: dict[str, Any], fate: str, begins: str) -> None:
    status = replace(LEG, **leg)
    assert fate_of(status) is PlannedFate(fate)
    assert words(status).startswith(begins)


@pytest.mark.parametrize("state", ["superseded", "withdrawn", "refused", "closed"])
def test_what_may_have_arrived_before_it_was_stopped_is_never_said_to_be_untold(state: str) -> None:
    status = replace(LEG, state=state, may_hold=True)
    assert fate_of(status) is PlannedFate.UNCERTAIN
    assert "counts as disclosed; not tried again: " in words(status)


def test_what_was_opened_stays_opened_when_a_later_version_overtakes_it() -> None:
    status = replace(LEG, state="superseded", may_hold=True, opened_at=NOW)
    assert fate_of(status) is PlannedFate.OPENED
    assert "not tried again: overtaken by a later version." in words(status)


@pytest.mark.parametrize(
    ("state", "rest"),
    [("pending", "it is sent once more"), ("superseded", "not tried again: overtaken by a later")],
)
def test_what_was_accepted_stays_told_while_it_is_sent_once_more_and_after(
    state: str, rest: str
) -> None:
    status = replace(LEG, state=state, may_hold=True, delivered_at=NOW)
    assert fate_of(status) is PlannedFate.TOLD
    assert f"its system answered that it has it; {rest}" in words(status)


def test_opened_before_the_encrypted_notice_arrived_is_told_and_still_goes_out() -> None:
    status = replace(LEG, may_hold=True, opened_at=NOW)
    assert words(status).startswith("Told: a person of its own opened it; the notice still goes")


def test_a_conflict_says_whether_anything_stays_with_it() -> None:
    assert "nothing of this was sent to it" in words(replace(LEG, in_conflict=True))
    assert "what it holds stays" in words(replace(LEG, in_conflict=True, **HOLDS))


@pytest.mark.parametrize(
    ("grounds", "said"),
    [
        (["not_ours"], "for it said that the matter is not its own."),
        (["misdirected"], "for its notice was sent to it by mistake."),
        (["recusal"], "for a conflict of interest was asserted."),
        (
            ["not_ours", "recusal"],
            "for a conflict of interest was asserted and it said that the matter is not its own.",
        ),
    ],
)
def test_why_it_gets_nothing_further_is_told_exactly(grounds: list[str], said: str) -> None:
    assert said in words(replace(LEG, in_conflict=True, barred_for=grounds, **DELIVERED, **HOLDS))


def test_p10_what_keeps_a_notice_back_is_not_shown_to_its_agency() -> None:
    (seen,) = as_its_agency_sees([replace(LEG, held_by=["hlt_one"])])
    assert seen == LEG


@pytest.mark.parametrize("state", DeliveryState)
@pytest.mark.parametrize("holds", [False, True])
def test_every_state_has_a_sentence_and_only_who_holds_it_is_said_to_be_told(
    state: DeliveryState, holds: bool
) -> None:
    status = replace(LEG, state=state.value, may_hold=holds)
    told = words(status).startswith("Told")
    assert told is (holds and state is DeliveryState.DELIVERED)
