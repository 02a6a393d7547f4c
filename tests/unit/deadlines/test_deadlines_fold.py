"""P6: the fold gives one answer for one set of facts, and it is what the policy's words say."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deadlines.openings import THE_CHILD
from services.deadlines.policy import Policy
from services.deadlines.policy_files import load
from services.deadlines.reading import FactBearing
from services.deadlines.sla import Lacking, Standing, fold
from services.deadlines.story import Story
from shared.contracts.base import EventData
from shared.contracts.codes import HtType
from shared.contracts.notices import NoticesDelivered, NoticesPlanned, NoticesRefused
from tests.support.deadlines import (
    CHILD,
    DUE,
    HOUR,
    LE,
    RECEIVED,
    agency,
    amended,
    delivered,
    facts,
    notice,
    planned,
    received,
    refused,
)

LE12 = next(policy for policy in load() if policy.policy == "le12")


def stand(*events: FactBearing, policy: Policy = LE12, child: str = CHILD) -> Standing:
    known = facts(*events)
    standing = fold(policy, child, THE_CHILD, Story(known))
    assert standing is not None
    return standing


# The slow oracle: the words of le12, read minute by minute.

MINUTE = timedelta(minutes=1)
HORIZON = 20


def every_police_agency_responsible_has_been_told(
    minute: datetime, events: Sequence[EventData]
) -> bool:
    """ "…every police agency responsible for it must have been told … by an encrypted notice of
    whichever version." The latest plan made by then says who is responsible; one who may not be
    told is responsible all the same; a notice without content tells nothing."""
    plans = [e for e in events if isinstance(e, NoticesPlanned) and e.planned_at <= minute]
    if not plans:
        return False
    latest = max(plans, key=lambda plan: plan.version)
    empty = {
        each.notice_id
        for plan in events
        if isinstance(plan, NoticesPlanned)
        for each in plan.notices
        if each.kind.value == "supersession"
    }
    responsible: list[str | None] = []
    for each in latest.notices:
        if each.role is LE and each.child_id == CHILD and each.notice_id not in empty:
            responsible.append(each.agency_id)
    for event in events:
        if isinstance(event, NoticesRefused) and event.version == latest.version:
            for refusal in event.notices:
                if refusal.role is LE and refusal.notice_id not in empty:
                    responsible.append(refusal.agency_id)
    told = {
        each.agency_id
        for event in events
        if isinstance(event, NoticesDelivered)
        for each in event.notices
        if each.delivered_at <= minute and each.notice_id not in empty
    }
    return bool(responsible) and all(who is not None and who in told for who in responsible)


def oracle(events: Sequence[EventData]) -> datetime | None:
    """Since which minute it has been so without a break; None when it is not so at the end."""
    since = None
    for number in range(HORIZON, -1, -1):
        minute = RECEIVED + number * MINUTE
        if not every_police_agency_responsible_has_been_told(minute, events):
            break
        since = minute
    return since


minutes = st.integers(0, HORIZON).map(lambda number: RECEIVED + number * MINUTE)
names = st.sampled_from("ABC")


@st.composite
def stories(draw: st.DrawFn) -> list[FactBearing]:
    """A referral with up to three plans, at any times, and whatever became of them."""
    events: list[FactBearing] = [received()]
    for version in range(1, draw(st.integers(0, 3)) + 1):
        if version > 1:
            events.append(amended(version, recorded_at=RECEIVED))
        at = draw(minutes)
        told = draw(st.frozensets(names, max_size=3))
        left = draw(st.frozensets(names, max_size=1)) - told
        events.append(planned(sorted(told), at, version=version, superseded=sorted(left)))
        barred = draw(st.frozensets(names, max_size=1))
        if barred:
            events.append(refused(sorted(barred), at, version=version))
        if draw(st.integers(0, 9)) == 0:
            events.append(refused([None], at, version=version))
    for name, version, at in draw(
        st.lists(st.tuples(names, st.integers(1, 3), minutes), max_size=6)
    ):
        events.append(delivered(name, at, version=version))
    return events


@given(stories())
def test_the_fold_says_what_the_words_of_the_policy_say(events: list[FactBearing]) -> None:
    assert stand(*events).satisfied_at == oracle(events)


@given(stories(), st.randoms(use_true_random=False), st.integers(0, 5))
def test_order_and_repetition_change_nothing(
    events: list[FactBearing], random: object, again: int
) -> None:
    known = facts(*events)
    shuffled = [*known, *known[:again]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Story(shuffled).statements == Story(known).statements
    assert fold(LE12, CHILD, THE_CHILD, Story(shuffled)) == stand(*events)


@given(stories())
def test_it_lacks_something_exactly_while_it_is_not_satisfied(events: list[FactBearing]) -> None:
    standing = stand(*events)
    assert (standing.lacking is None) == (standing.satisfied_at is not None)


def test_due_is_twelve_hours_after_receipt_across_the_change_of_the_clocks() -> None:
    """DOMAIN C31: 12 h are elapsed hours."""
    assert stand(received()).due_at == DUE == RECEIVED + timedelta(hours=12)


def test_satisfied_only_when_every_agency_of_the_leg_is_told() -> None:
    plan = planned("AB")
    first = delivered("A", RECEIVED + HOUR)
    last = delivered("B", RECEIVED + 3 * HOUR)
    assert stand(received(), plan, first).lacking is Lacking.DELIVERY
    assert stand(received(), plan, first, last).satisfied_at == RECEIVED + 3 * HOUR


def test_a_delivery_of_an_earlier_version_counts() -> None:
    events = (received(), planned("A"), delivered("A", RECEIVED + HOUR), amended(2))
    corrected = planned("A", RECEIVED + 2 * HOUR, version=2)
    assert stand(*events, corrected).satisfied_at == RECEIVED + HOUR


def test_a_later_plan_that_adds_an_agency_opens_the_clock_again_and_keeps_its_due_time() -> None:
    events = (received(), planned("A"), delivered("A", RECEIVED + HOUR))
    more = planned("AB", RECEIVED + 5 * HOUR, version=2)
    again = stand(*events, more)
    assert (again.satisfied_at, again.due_at) == (None, DUE)
    told = stand(*events, more, delivered("B", RECEIVED + 6 * HOUR, version=2))
    assert told.satisfied_at == RECEIVED + 6 * HOUR


def test_a_plan_that_drops_an_untold_agency_satisfies_from_then_on_not_before() -> None:
    """Nobody talks a breach away by amending a town once the time is over."""
    events = (received(), planned("AB"), delivered("A", RECEIVED + HOUR))
    fewer = planned("A", RECEIVED + 20 * HOUR, version=2)
    standing = stand(*events, fewer)
    assert standing.satisfied_at == RECEIVED + 20 * HOUR
    assert not standing.in_time


def test_an_empty_leg_is_never_satisfied() -> None:
    nobody = stand(received(), planned(""), refused([None]))
    assert (nobody.satisfied_at, nobody.lacking) == (None, Lacking.LAWFUL_RECIPIENT)


def test_an_agency_that_may_not_be_told_keeps_the_clock_open() -> None:
    events = (received(), planned("A"), refused("B"), delivered("A", RECEIVED + HOUR))
    assert stand(*events).lacking is Lacking.LAWFUL_RECIPIENT


def test_an_agency_refused_now_but_told_before_counts_as_told() -> None:
    events = (received(), planned("A"), delivered("A", RECEIVED + HOUR))
    expired = (
        planned("", RECEIVED + 9 * HOUR, version=2),
        refused("A", RECEIVED + 9 * HOUR, version=2),
    )
    assert stand(*events, *expired).satisfied_at == RECEIVED + HOUR


def test_a_supersession_tells_nothing_of_the_child() -> None:
    left = planned("B", version=2, superseded="A")
    back = planned("A", RECEIVED + HOUR, version=3)
    events = (received(), planned("A"), left, delivered("A", RECEIVED, version=2), back)
    assert stand(*events).lacking is Lacking.DELIVERY


def test_a_refused_supersession_is_no_duty() -> None:
    events = (received(), planned("B", superseded="A"), refused("A"))
    assert notice("A", 1) == events[2].notices[0].notice_id
    assert stand(*events, delivered("B", RECEIVED + HOUR)).in_time


def test_other_children_and_other_roles_do_not_matter() -> None:
    other = "chd_" + "f" * 32
    events = (
        received(children={CHILD: HtType.SEX, other: HtType.SEX}),
        planned("A"),
        delivered("A", RECEIVED, child=other),
    )
    assert stand(*events).lacking is Lacking.DELIVERY


def test_the_latest_version_says_when_the_report_was_received() -> None:
    earlier = amended(3, at=RECEIVED - 2 * HOUR)
    assert stand(earlier, received(), amended(2, at=RECEIVED + HOUR)).due_at == DUE - 2 * HOUR


@pytest.mark.parametrize("hours", [11, 12, 13])
def test_satisfied_at_the_due_instant_is_in_time(hours: int) -> None:
    standing = stand(received(), planned("A"), delivered("A", RECEIVED + hours * HOUR))
    assert standing.in_time == (hours <= 12)


def test_agency_ids_are_distinct() -> None:
    assert len({agency(name) for name in "ABC"}) == 3
