"""The HART consult: any order of steps, any repetition, the clock of the first request (C30)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.hart import consults
from services.intake.hart.consults import (
    Already,
    Consult,
    Entry,
    Joins,
    NotTheirs,
    NotYet,
    Opens,
    OutOfTime,
    State,
    Step,
    Takes,
    fold,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def history(*steps: tuple[Step, str, int]) -> Consult:
    folded = fold(Entry(step, person, NOON + hours * HOUR) for step, person, hours in steps)
    assert folded is not None
    return folded


OPEN = history((Step.REQUESTED, "investigator", 0), (Step.ASSIGNED, "liaison", 0))
DONE = history(
    (Step.REQUESTED, "investigator", 0),
    (Step.ASSIGNED, "liaison", 0),
    (Step.COMPLETED, "liaison", 5),
)


def test_c30_the_first_request_opens_and_a_second_joins_it() -> None:
    assert consults.request(None, NOON, NOON, new_facts=False) == Opens()
    later = NOON + 9 * HOUR
    assert consults.request(OPEN, later, later, new_facts=False) == Joins(NOON)


def test_c30_an_earlier_request_that_is_recorded_later_moves_the_start_back() -> None:
    earlier = NOON - 3 * HOUR
    assert consults.request(OPEN, earlier, NOON, new_facts=False) == Joins(earlier)
    folded = history((Step.REQUESTED, "a", 0), (Step.REQUESTED, "b", -3))
    assert folded.started_at == earlier


def test_c30_new_facts_open_a_new_consult_once_the_old_one_is_completed() -> None:
    later = NOON + 9 * HOUR
    assert consults.request(DONE, later, later, new_facts=True) == Opens()
    assert consults.request(DONE, later, later, new_facts=False) == Joins(NOON)


def test_c30_new_facts_do_not_loosen_a_clock_that_runs() -> None:
    later = NOON + 9 * HOUR
    assert consults.request(OPEN, later, later, new_facts=True) == Joins(NOON)


def test_a_request_in_the_future_is_out_of_time() -> None:
    assert consults.request(None, NOON + HOUR, NOON, new_facts=False) == OutOfTime()


def test_a_consult_is_completed_once_by_a_liaison_it_is_assigned_to() -> None:
    at = NOON + HOUR
    assert consults.complete(OPEN, "liaison", at, at, recused=False) == Takes()
    assert consults.complete(OPEN, "investigator", at, at, recused=False) == NotTheirs()
    assert consults.complete(DONE, "liaison", at, at, recused=False) == Already()


def test_c17_a_conflicted_liaison_can_neither_read_nor_complete_nor_enter_nor_share() -> None:
    at = NOON + 9 * HOUR
    assert consults.read(OPEN, "liaison", recused=True, breaking_glass=False) == NotTheirs()
    assert consults.complete(OPEN, "liaison", at, at, recused=True) == NotTheirs()
    assert consults.enter(DONE, "liaison", at, at, recused=True) == NotTheirs()
    assert consults.share(DONE, "liaison", recused=True) == NotTheirs()


def test_c17_a_conflicted_liaison_is_given_no_consult() -> None:
    taken = {"recused": False, "conflicted": True}
    assert consults.assign(OPEN, "another", **taken) == consults.Conflicted()
    assert consults.assign(OPEN, "another", recused=True, conflicted=False) == NotTheirs()
    assert consults.assign(OPEN, "liaison", recused=False, conflicted=False) == Already()


def test_c17_breaking_the_glass_lets_a_stranger_read_and_lifts_no_conflict() -> None:
    assert consults.read(OPEN, "stranger", recused=False, breaking_glass=False) == NotTheirs()
    assert consults.read(OPEN, "stranger", recused=False, breaking_glass=True) == Takes()
    assert consults.read(OPEN, "liaison", recused=True, breaking_glass=True) == NotTheirs()


@pytest.mark.parametrize("hours", [-1, 3])
def test_a_consult_is_completed_neither_before_it_began_nor_in_the_future(hours: int) -> None:
    at, now = NOON + hours * HOUR, NOON + HOUR
    assert consults.complete(OPEN, "liaison", at, now, recused=False) == OutOfTime()


def test_a_consult_is_entered_after_it_is_completed_and_once() -> None:
    at = NOON + 9 * HOUR
    assert consults.enter(OPEN, "liaison", at, at, recused=False) == NotYet(Step.COMPLETED)
    assert consults.enter(DONE, "liaison", at, at, recused=False) == Takes()
    assert consults.enter(DONE, "liaison", NOON, at, recused=False) == OutOfTime()
    entered = fold(
        [
            Entry(Step.REQUESTED, "a", NOON),
            Entry(Step.ASSIGNED, "liaison", NOON),
            Entry(Step.COMPLETED, "liaison", NOON),
            Entry(Step.ENTERED, "liaison", NOON),
        ]
    )
    assert entered is not None
    assert consults.enter(entered, "liaison", at, at, recused=False) == Already()


def test_an_outcome_is_shared_when_there_is_one() -> None:
    assert consults.share(OPEN, "investigator", recused=False) == NotYet(Step.COMPLETED)
    assert consults.share(DONE, "investigator", recused=False) == Takes()


PEOPLE = ("investigator", "worker", "liaison", "other")


@dataclass(frozen=True)
class Command:
    step: Step
    person: str
    hour: int
    new_facts: bool
    recused: bool


COMMANDS = st.builds(
    Command,
    st.sampled_from(Step),
    st.sampled_from(PEOPLE),
    st.integers(-5, 30),
    st.booleans(),
    st.booleans(),
)


@dataclass
class Child:
    """All consults of one child, as the unit of work would keep them."""

    histories: list[list[Entry]] = field(default_factory=list)

    def take(self, command: Command, now: datetime) -> None:
        at = NOON + command.hour * HOUR
        latest = fold(self.histories[-1]) if self.histories else None
        if command.step is Step.REQUESTED:
            outcome = consults.request(latest, at, now, new_facts=command.new_facts)
            if isinstance(outcome, Opens):
                self.histories.append([])
            if not isinstance(outcome, OutOfTime):
                self.histories[-1].append(Entry(command.step, command.person, at))
        elif latest is not None and isinstance(self._ask(latest, command, at, now), Takes):
            self.histories[-1].append(Entry(command.step, command.person, at))

    def _ask(self, latest: Consult, command: Command, at: datetime, now: datetime) -> object:
        person, recused = command.person, command.recused
        match command.step:
            case Step.ASSIGNED:
                return consults.assign(latest, person, recused=recused, conflicted=False)
            case Step.COMPLETED:
                return consults.complete(latest, person, at, now, recused=recused)
            case Step.ENTERED:
                return consults.enter(latest, person, at, now, recused=recused)
            case _:
                return consults.share(latest, person, recused=recused)


@settings(deadline=None)
@given(st.lists(COMMANDS, max_size=40))
def test_c30_whatever_is_asked_in_whatever_order_a_history_stays_a_consult(
    commands: list[Command],
) -> None:
    child = Child()
    for count, command in enumerate(commands):
        child.take(command, NOON + count * HOUR)
    folded = [fold(entries) for entries in child.histories]
    for entries, consult in zip(child.histories, folded, strict=True):
        assert consult is not None
        steps = [entry.step for entry in entries]
        asked = [entry.occurred_at for entry in entries if entry.step is Step.REQUESTED]
        assert steps[0] is Step.REQUESTED
        assert consult.started_at == min(asked)
        assert consult.entries == len(entries)
        assert steps.count(Step.COMPLETED) == (consult.state is not State.REQUESTED)
        assert steps.count(Step.ENTERED) == (consult.state is State.ENTERED)
        for step in (Step.ENTERED, Step.SHARE_REQUESTED):
            assert step not in steps[: steps.index(Step.COMPLETED)] if step in steps else True
        finishers = {e.person for e in entries if e.step in (Step.COMPLETED, Step.ENTERED)}
        assert finishers <= consult.liaisons
    assert all(each and each.state is not State.REQUESTED for each in folded[:-1])


@settings(deadline=None)
@given(st.lists(COMMANDS, max_size=30), st.integers(1, 3))
def test_repeating_every_step_changes_no_state_and_no_start(
    commands: list[Command], times: int
) -> None:
    """New facts apart, which open another consult each time that one is completed."""
    once, often = Child(), Child()
    for count, command in enumerate(commands):
        now = NOON + count * HOUR
        plain = Command(command.step, command.person, command.hour, False, command.recused)
        once.take(plain, now)
        for _ in range(times):
            often.take(plain, now)
    assert len(once.histories) == len(often.histories) <= 1
    for one, many in zip(once.histories, often.histories, strict=True):
        first, second = fold(one), fold(many)
        assert first is not None
        assert second is not None
        assert (first.state, first.started_at) == (second.state, second.started_at)
        assert (first.requesters, first.liaisons) == (second.requesters, second.liaisons)


@given(st.permutations(range(6)))
def test_the_start_does_not_depend_on_the_order_in_which_requests_are_recorded(
    order: list[int],
) -> None:
    folded = fold(Entry(Step.REQUESTED, "a", NOON + hour * HOUR) for hour in order)
    assert folded is not None
    assert folded.started_at == NOON
