"""Which clocks a referral has, and under which policy each runs."""

from collections.abc import Sequence
from datetime import date
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deadlines.book import PolicyBook, UnknownPolicy
from services.deadlines.clocks import Clock, wind
from services.deadlines.facts import FactKind
from services.deadlines.policy import Policy
from services.deadlines.policy_files import load
from services.deadlines.reading import FactBearing, facts_of
from services.deadlines.sla import ClockState
from shared.contracts.codes import HtType, Role, Trigger
from tests.support.deadlines import (
    CHILD,
    DUE,
    HOUR,
    LE,
    RECEIVED,
    amended,
    delivered,
    facts,
    opaque,
    planned,
    received,
    refused,
)

BOOK = PolicyBook(load())
SECOND_CHILD = opaque("chd", 2)


def wound(
    *events: FactBearing, running: Sequence[Clock] = (), book: PolicyBook = BOOK
) -> list[Clock]:
    numbers = count(1)
    return wind(book, facts(*events), running, lambda: opaque("clk", next(numbers)))


def of_role(clocks: Sequence[Clock], role: Role = LE) -> Clock:
    (clock,) = [clock for clock in clocks if clock.role is role]
    return clock


def edited(policy: Policy, **changes: object) -> Policy:
    return Policy.model_validate(policy.model_dump() | changes)


@pytest.mark.parametrize("trigger", list(Trigger))
@pytest.mark.parametrize("ht_type", list(HtType))
def test_every_child_has_one_clock_per_leg_whatever_is_alleged(
    trigger: Trigger, ht_type: HtType
) -> None:
    children = {CHILD: ht_type, SECOND_CHILD: HtType.SEX}
    clocks = wound(received(children=children, trigger=trigger))
    roles = {LE, Role.FBI, Role.CHIEF_STATES_ATTORNEY, Role.MDT}
    assert {(clock.child_id, clock.role) for clock in clocks} == {
        (child, role) for child in children for role in roles
    }
    assert {clock.standing.due_at for clock in clocks} == {DUE}


@pytest.mark.parametrize("ht_type", [HtType.SEX, HtType.SEX_AND_LABOR, HtType.OTHER])
def test_police_are_told_under_the_statute(ht_type: HtType) -> None:
    clock = of_role(wound(received(children={CHILD: ht_type})))
    assert BOOK.get((clock.policy, clock.policy_version)).citation == "CGS 17a-101b(c), 17a-103(c)"


def test_labor_alone_is_a_policy_clock_of_the_same_length_without_that_citation() -> None:
    clock = of_role(wound(received(children={CHILD: HtType.LABOR})))
    policy = BOOK.get((clock.policy, clock.policy_version))
    assert (policy.force, policy.citation, clock.standing.due_at) == ("policy", None, DUE)


def test_an_amended_type_moves_the_same_clock_under_the_other_policy() -> None:
    first = wound(received(children={CHILD: HtType.LABOR}))
    now = wound(
        received(children={CHILD: HtType.LABOR}),
        amended(2, children={CHILD: HtType.SEX_AND_LABOR}),
        running=first,
    )
    before, after = of_role(first), of_role(now)
    assert (before.policy, after.policy) == ("le12_labor", "le12")
    assert after.clock_id == before.clock_id
    assert after.standing.due_at == DUE


def test_a_changed_policy_rewrites_no_running_clock() -> None:
    (le12,) = [policy for policy in load() if policy.policy == "le12"]
    longer = edited(le12, version="2027-1", length={"hours": 24})
    book = PolicyBook([longer], used=load())
    running = wound(received(), running=wound(received()), book=book)
    assert of_role(running).standing.due_at == DUE
    assert of_role(wound(received(), book=book)).standing.due_at == DUE + 12 * HOUR


def heir(first: date, last: date | None = None, hours: int = 6, **more: object) -> PolicyBook:
    """The shipped policies, and one that takes police's clock over."""
    (le12,) = [policy for policy in load() if policy.policy == "le12"]
    days = {"effective_from": first, "effective_to": last, "length": {"hours": hours}}
    rewriting = edited(
        le12, version="2026-3", warned=None, rewrites=("2026-2",), **{**days, **more}
    )
    return PolicyBook([rewriting, *load()])


def twice(book: PolicyBook, *events: FactBearing, before: PolicyBook = BOOK) -> str:
    """The version of police's clock, however often and since when it was folded."""
    once = wound(*events, book=book)
    versions = {
        of_role(clocks).policy_version
        for clocks in (
            once,
            wound(*events, running=once, book=book),
            wound(*events, running=wound(*events, book=before), book=book),
            wound(*events, running=wound(*events[:1], book=book), book=book),
        )
    }
    (version,) = versions
    return version


def test_p6_a_clock_goes_over_once_to_what_rewrites_it_however_often_it_is_folded() -> None:
    assert twice(heir(date(2026, 4, 1)), received(), planned("A")) == "2026-3"
    late = delivered("A", RECEIVED + 1000 * HOUR)
    assert twice(heir(date(2026, 4, 1)), received(), planned("A"), late) == "2026-3"


def test_p6_a_clock_that_was_over_before_the_heirs_day_stays_as_it_ended() -> None:
    told = (received(), planned("A"), delivered("A", RECEIVED + 8 * HOUR))
    assert twice(heir(date(2026, 3, 8)), *told) == "2026-2"
    assert of_role(wound(*told, book=heir(date(2026, 3, 8)))).state is ClockState.SATISFIED


def test_p6_what_is_received_after_the_heirs_last_day_is_not_its_own() -> None:
    book = heir(date(2026, 1, 1), date(2026, 1, 31))
    assert twice(book, received(), planned("A")) == "2026-2"


def test_p6_no_clock_goes_over_before_the_heirs_day() -> None:
    book = heir(date(2026, 3, 10))
    waiting = PolicyBook(book.current.values(), today=date(2026, 3, 9))
    assert twice(waiting, received()) == "2026-2"


def test_p6_an_heir_is_inherited_from_in_turn() -> None:
    book = heir(date(2026, 3, 10))
    (second,) = [policy for policy in book.current.values() if policy.version == "2026-3"]
    days = {"effective_from": date(2026, 3, 20), "rewrites": ("2026-3",)}
    third = edited(second, version="2026-4", **days)
    chain = PolicyBook([third, *book.current.values()])
    assert twice(chain, received(), before=book) == "2026-4"
    told = delivered("A", RECEIVED + 24 * 7 * HOUR)
    assert twice(chain, received(), planned("A"), told, before=book) == "2026-3"


def test_a_policy_governs_the_reports_received_while_it_is_in_force() -> None:
    (le12,) = [policy for policy in load() if policy.policy == "le12"]
    old = edited(le12, version="1", length={"hours": 6}, effective_to=date(2026, 3, 6))
    new = edited(le12, version="2", effective_from=date(2026, 3, 7))
    book = PolicyBook([old, new])
    # 20:00 UTC on the 7th is the 7th in Connecticut; 02:00 UTC on the 7th is still the 6th.
    assert of_role(wound(received(), book=book)).policy_version == "2"
    night = received(at=RECEIVED - 18 * HOUR)
    assert of_role(wound(night, book=book)).policy_version == "1"


def test_a_clock_goes_on_when_no_policy_applies_any_more() -> None:
    (le12,) = [policy for policy in load() if policy.policy == "le12"]
    book = PolicyBook([edited(le12, applies={"triggers": ["careline"], "ht_types": ["sex"]})])
    first = wound(received(), book=book)
    now = wound(received(), amended(2, children={CHILD: HtType.LABOR}), running=first, book=book)
    assert [clock.clock_id for clock in now] == [clock.clock_id for clock in first]


def test_a_policy_version_that_is_not_known_is_asked_for_again_later() -> None:
    with pytest.raises(UnknownPolicy):
        wound(received(), running=wound(received()), book=PolicyBook([]))


def test_delivered_before_planned_before_received_comes_to_the_same() -> None:
    events = (received(), planned("A"), delivered("A", RECEIVED + HOUR))
    in_order, reversed_ = wound(*events), wound(*reversed(events))
    assert [clock.standing for clock in in_order] == [clock.standing for clock in reversed_]
    assert of_role(in_order).state is ClockState.SATISFIED


def test_facts_without_a_statement_make_no_clock() -> None:
    assert wound(planned("A"), delivered("A", RECEIVED)) == []


def test_a_moved_due_time_begins_the_waiting_anew() -> None:
    (first, *_) = wound(received())
    waiting = first._replace(waiting_since=DUE)
    moved = wound(received(), amended(2, at=RECEIVED + HOUR), running=[waiting])
    assert moved[0].waiting_since is None
    assert wound(received(), running=[waiting])[0].waiting_since == DUE


@given(st.permutations(range(6)))
def test_any_order_of_arrival_winds_the_same_clocks(order: list[int]) -> None:
    """P6. Folded after each arrival, as the handlers do."""
    events: list[FactBearing] = [
        received(),
        planned("AB"),
        refused("C"),
        delivered("A", RECEIVED + HOUR),
        amended(2, at=RECEIVED - HOUR),
        planned("A", RECEIVED + 2 * HOUR, version=2),
    ]
    clocks: list[Clock] = []
    for arrived in range(1, len(order) + 1):
        known = [fact for n in order[:arrived] for fact in facts_of(f"event-{n}", events[n])]
        clocks = wind(BOOK, known, clocks, lambda: "clk")
    assert [clock.standing for clock in clocks] == [clock.standing for clock in wound(*events)]
    assert of_role(clocks).standing.satisfied_at == RECEIVED + 2 * HOUR


def test_every_event_becomes_facts_dated_when_they_happened() -> None:
    at = RECEIVED + HOUR
    assert [(fact.kind, fact.occurred_at) for fact in facts(delivered("A", at))] == [
        (FactKind.DELIVERED, at)
    ]
    assert [fact.kind for fact in facts(planned("A", at, superseded="B"))] == [
        FactKind.ROUTED,
        FactKind.PLANNED,
        FactKind.SUPERSESSION_PLANNED,
    ]
    assert [fact.kind for fact in facts(planned(""))] == [FactKind.ROUTED]
    assert [fact.agency_id for fact in facts(refused([None]))] == [None]
    assert [
        fact.place
        for fact in facts(received(children={CHILD: HtType.SEX, SECOND_CHILD: HtType.SEX}))
    ] == [0, 1]
