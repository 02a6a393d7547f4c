"""P6: every clock says what the words of its policy say, for every order of the facts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.deadlines.book import PolicyBook
from services.deadlines.clocks import Clock, wind
from services.deadlines.facts import Fact
from services.deadlines.policy_files import load
from services.deadlines.reading import FactBearing
from shared.contracts.codes import HtType, NoticeKind, Role, Stage, WithdrawalCause
from tests.support import clock_oracle
from tests.support.clock_events import (
    acknowledged,
    consult_completed,
    consult_entered,
    consult_requested,
    decided,
    identified,
    picked_up,
    pointed,
    rerouted,
    told_orally,
    withdrawn,
)
from tests.support.deadlines import (
    CHILD,
    HOUR,
    LE,
    RECEIVED,
    agency,
    amended,
    delivered,
    facts,
    opaque,
    planned,
    received,
    refused,
)

BOOK = PolicyBook(load())
SIBLING = opaque("chd", 2)
STEP = timedelta(minutes=30)
CONSULTS = [opaque("con", 1), opaque("con", 2)]

times = st.builds(
    lambda number, hours: RECEIVED + number * STEP + hours * HOUR,
    st.integers(0, 12),
    st.sampled_from([0, 0, 0, 24]),
)
"""Most while every clock runs, some when those of 12 and 24 hours are over."""
names = st.sampled_from("ABC")
RECEIVED_ROLES = (LE, Role.FBI, Role.NCMEC, Role.ELIGIBILITY_COORDINATOR)


@st.composite
def plans(draw: st.DrawFn, version: int) -> list[FactBearing]:
    """What one version's plans of both stages say of one role each."""
    made: list[FactBearing] = []
    role = draw(st.sampled_from(RECEIVED_ROLES))
    at = draw(times)
    told = draw(st.frozensets(names, max_size=2))
    left = draw(st.frozensets(names, max_size=1)) - told
    kinds = [NoticeKind.ORIGINAL, NoticeKind.RELATED, NoticeKind.WITHDRAWAL]
    kind = draw(st.sampled_from(kinds))
    made.append(
        planned(sorted(told), at, version=version, role=role, superseded=sorted(left), kind=kind)
    )
    if draw(st.integers(0, 3)) == 0:
        made.append(refused(draw(st.sampled_from([["A"], [None]])), at, version=version, role=role))
    if draw(st.booleans()):
        whom = draw(st.sampled_from(["", "D", "DE"]))
        stage = draw(st.sampled_from([Stage.ACCEPTED, Stage.CONSULT_SHARED]))
        ico = Role.INTERSTATE_COMPACT if stage is Stage.ACCEPTED else LE
        made.append(planned(whom, draw(times), version=version, role=ico, stage=stage))
    return made


@st.composite
def reroutes(draw: st.DrawFn) -> FactBearing:
    """Somebody leaves a leg, and up to two others take the place."""
    left, to = draw(st.sampled_from("ABC")), draw(st.sampled_from(["", "D", "DE", "B"]))
    return rerouted(left, to.replace(left, ""), draw(times), version=draw(st.integers(1, 3)))


@st.composite
def tellings(draw: st.DrawFn) -> FactBearing:
    how = draw(st.sampled_from([delivered, picked_up, acknowledged, told_orally, pointed]))
    name, version = draw(st.sampled_from("ABCDE")), draw(st.integers(1, 3))
    return how(name, draw(times), version=version)  # type: ignore[no-any-return, operator]


@st.composite
def steps(draw: st.DrawFn) -> FactBearing:
    step = draw(st.sampled_from([consult_requested, consult_completed, consult_entered]))
    return step(draw(times), consult=draw(st.sampled_from(CONSULTS)))  # type: ignore[no-any-return, operator]


@st.composite
def stories(draw: st.DrawFn) -> list[FactBearing]:
    """One child's referral, and whatever became of it."""
    made: list[FactBearing] = [received()]
    versions = draw(st.integers(0, 3))
    for version in range(1, versions + 1):
        if version > 1:
            at = draw(st.sampled_from([RECEIVED, RECEIVED - STEP, RECEIVED + STEP]))
            dropped = draw(st.integers(0, 3)) == 0
            children = {SIBLING: HtType.SEX} if dropped else None
            recorded_at = draw(times) + draw(st.sampled_from([0, 12, 24])) * HOUR
            made.append(amended(version, children, at=at, recorded_at=recorded_at))
            if dropped:
                made.append(planned("A", draw(times), version=version, child=SIBLING))
                continue
        made += draw(plans(version))
    for number in range(1, draw(st.integers(0, 3)) + 1):
        made.append(decided(number, draw(st.booleans()), draw(times), recorded_at=draw(times)))
    made += draw(st.lists(reroutes(), max_size=2))
    made += draw(st.lists(tellings(), max_size=5))
    made += draw(st.lists(steps(), max_size=4))
    if draw(st.booleans()):
        made.append(identified(draw(times)))
    if draw(st.integers(0, 4)) == 0:
        cause = draw(st.sampled_from(list(WithdrawalCause)))
        made.append(withdrawn(draw(times), cause))
    return made


def wound(known: Sequence[Fact], running: Sequence[Clock] = ()) -> list[Clock]:
    numbers = count(len(running))
    return wind(BOOK, known, running, lambda: f"clk_{next(numbers)}")


def stand(clocks: Sequence[Clock]) -> dict[tuple[str, str, str], object]:
    return {(c.child_id, c.policy, c.matter): c.standing for c in clocks}


def nothing_was_owed(clock: Clock) -> bool:
    """It ran only until a fact came that took its beginning back."""
    standing = clock.standing
    return standing.released and standing.satisfied_at == standing.basis_at


def at_the_earliest_from(basis: datetime, moment: datetime | None) -> datetime | None:
    return None if moment is None else max(basis, moment)


MATTERS = ["", *CONSULTS, *map(agency, "ABCDE")]
POLICIES = sorted({policy.policy for policy in BOOK.current.values()} - {"le12_labor"})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories())
def test_every_clock_stands_as_the_words_of_its_policy_have_it(story: list[FactBearing]) -> None:
    clocks = [clock for clock in wound(facts(*story)) if clock.child_id == CHILD]
    found = {(clock.policy, clock.matter): clock.standing for clock in clocks}
    for policy in POLICIES:
        per_matter = policy in ("hart72", "entry5d", "monthly_data", "ack24")
        for matter in MATTERS:
            if per_matter == (matter == ""):
                continue
            word = clock_oracle.read(policy, CHILD, matter, story)
            standing = found.pop((policy, matter), None)
            if word is None or standing is None:
                assert (word is None) == (standing is None), (policy, matter)
                continue
            assert (standing.basis_at, standing.due_at) == (word.basis, word.due), policy
            since = at_the_earliest_from(standing.basis_at, standing.satisfied_at)
            assert (since, standing.released) == (word.since, word.released), policy
    assert found == {}


@settings(max_examples=100, deadline=None)
@given(stories(), st.randoms(use_true_random=False), st.integers(0, 8))
def test_order_and_repetition_change_no_clock(
    story: list[FactBearing], random: Random, again: int
) -> None:
    known = facts(*story)
    shuffled = [*known, *known[:again]]
    random.shuffle(shuffled)
    assert stand(wound(shuffled)) == stand(wound(known))


@settings(max_examples=60, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_folding_after_each_arrival_comes_to_the_same_as_folding_once(
    story: list[FactBearing], random: Random
) -> None:
    known = facts(*story)
    random.shuffle(known)
    clocks: list[Clock] = []
    for arrived in range(1, len(known) + 1):
        clocks = wound(known[:arrived], clocks)
    once = wound(known)
    owed = [[c for c in each if not nothing_was_owed(c)] for each in (clocks, once)]
    assert stand(owed[0]) == stand(owed[1])
    assert len({clock.clock_id for clock in clocks}) == len(clocks)
