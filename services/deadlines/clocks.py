"""The clocks of a referral, wound from its facts. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from services.deadlines.book import PolicyBook
from services.deadlines.facts import Fact
from services.deadlines.heirs import heir_of
from services.deadlines.openings import beginning, matters
from services.deadlines.policy import Policy
from services.deadlines.sla import ClockState, Lacking, Standing, fold, never_started, state_of
from services.deadlines.story import Story
from services.deadlines.verdicts import look_at
from shared.contracts.codes import Role

Key = tuple[str, str, str]
_NOTHING = frozenset[int]()


class Announced(NamedTuple):
    """What was emitted about a clock: for good, with the due time that it spoke of."""

    due_at: datetime
    discovered_at: datetime
    satisfied_at: datetime | None = None
    reason: str | None = None
    """Of a breach: what was lacking then, or `late`."""
    turn: int = 1
    """Which breach of its clock, or its correction: another one comes only after a correction."""


class Clock(NamedTuple):
    """One duty of one referral towards a child, or in its matter, and how it stands."""

    clock_id: str
    referral_id: str
    child_id: str
    duty: str
    matter: str
    role: Role | None
    policy: str
    policy_version: str
    synthetic: bool
    """It runs like any other, is never looked at, and nothing is said of it: there is no child."""
    standing: Standing
    state: ClockState
    look_at: datetime | None
    waiting_since: datetime | None = None
    breach: Announced | None = None
    correction: Announced | None = None
    warned: frozenset[int] = _NOTHING
    """The warnings that were said, or passed over for a shorter one, in minutes before due."""

    @property
    def key(self) -> Key:
        """What it is about, within its referral."""
        return self.child_id, self.duty, self.matter

    @property
    def breached_at(self) -> datetime | None:
        return None if self.breach is None else self.breach.due_at

    @property
    def counted_at(self) -> datetime:
        """The time by which reports put it into their periods: what was announced counts where it
        was, wherever the due time went since."""
        return self.standing.due_at if self.breach is None else self.breach.due_at

    @property
    def missed_at(self) -> datetime | None:
        """The due time of the breach that stands: announced and not corrected since."""
        return None if self.correction else self.breached_at

    @property
    def owes_correction(self) -> bool:
        corrected = self.state is ClockState.BREACHED_THEN_CORRECTED
        return corrected and self.correction is None and not self.synthetic

    def breached(self, now: datetime) -> "Clock":
        """This clock once its breach is announced: dated at its due time, however late found; and
        once more if it was corrected and turned out to be one all the same."""
        due_at = self.standing.due_at
        turn = 1 if self.breach is None else self.breach.turn + 1
        reason: Lacking | str = self.standing.lacking or "late"
        return self._replace(
            breach=Announced(due_at, now, reason=str(reason), turn=turn),
            correction=None,
            state=state_of(self.standing, due_at),
            look_at=None,
            waiting_since=None,
        )

    def warned_of(self, warnings: frozenset[int], at: datetime) -> "Clock":
        """This clock once these warnings are said; it is looked at again at `at`."""
        return self._replace(warned=self.warned | warnings, look_at=at, waiting_since=None)

    def corrected(self, now: datetime) -> "Clock":
        """This clock once the correction that it owes is announced."""
        assert self.breach is not None
        turn = self.breach.turn
        announced = Announced(self.breach.due_at, now, self.standing.satisfied_at, turn=turn)
        return self._replace(correction=announced)


def wind(
    book: PolicyBook,
    facts: Sequence[Fact],
    running: Iterable[Clock],
    make_id: Callable[[], str],
) -> list[Clock]:
    """Every clock of one referral as its facts have it now: those running, and new ones.

    `facts` are all facts of that referral, `running` all its clocks. Raises UnknownPolicy.
    """
    story = Story(facts)
    return list(_wind(book, facts[0].referral_id, story, list(running), make_id)) if facts else []


def _wind(
    book: PolicyBook,
    referral_id: str,
    story: Story,
    running: Sequence[Clock],
    make_id: Callable[[], str],
) -> Iterator[Clock]:
    for child_id, statement in sorted(story.statements.items()):
        in_force = book.in_force(statement)
        own: dict[str, dict[str, Clock]] = {}
        for clock in running:
            if clock.child_id == child_id:
                own.setdefault(clock.duty, {})[clock.matter] = clock
        for duty in sorted({*in_force, *own}):
            policy, clocks = in_force.get(duty), own.get(duty, {})
            begun = () if policy is None else matters(policy, child_id, story, clocks)
            for matter in sorted({*clocks, *begun}):
                before = clocks.get(matter)
                governing = policy if before is None else _pinned(book, before, policy, story)
                if governing is not None:
                    about = (referral_id, child_id, matter)
                    governing = heir_of(book, governing, about, story)
                    yield _stand(before, governing, about, story, make_id)


def _pinned(book: PolicyBook, clock: Clock, current: Policy | None, story: Story) -> Policy:
    """What governs a clock that runs: the version that it began with, while that applies."""
    own = (clock.policy, clock.policy_version)
    if current is not None and current.key == own:
        return current
    governing = book.governing(clock.duty, story.statements[clock.child_id], own)
    if governing is None or beginning(governing, clock.child_id, clock.matter, story) is None:
        return book.get(own)
    return governing


def _stand(
    clock: Clock | None,
    policy: Policy,
    about: tuple[str, str, str],
    story: Story,
    make_id: Callable[[], str],
) -> Clock:
    referral_id, child_id, matter = about
    standing = fold(policy, child_id, matter, story)
    if standing is None:
        assert clock is not None
        standing = never_started(clock.standing)
    breach, correction, warned = _said(clock)
    breached_at = None if breach is None else breach.due_at
    missed_at = None if correction else breached_at
    synthetic = story.statements[child_id].synthetic
    pending = frozenset(policy.warnings) - warned if warned else policy.warnings
    look = None if synthetic else look_at(standing, missed_at, pending)
    same_due = clock is not None and clock.standing.due_at == standing.due_at
    return Clock(
        clock_id=make_id() if clock is None else clock.clock_id,
        referral_id=referral_id,
        child_id=child_id,
        duty=policy.duty,
        matter=matter,
        role=policy.role,
        policy=policy.policy,
        policy_version=policy.version,
        synthetic=synthetic,
        standing=standing,
        state=state_of(standing, breached_at, corrected=breached_at is not None and not missed_at),
        look_at=look,
        waiting_since=clock.waiting_since if clock and same_due and look else None,
        breach=breach,
        correction=correction,
        warned=warned,
    )


def _said(clock: Clock | None) -> tuple[Announced | None, Announced | None, frozenset[int]]:
    """The breach, the correction and the warnings that were said of it."""
    if clock is None:
        return None, None, _NOTHING
    return clock.breach, clock.correction, clock.warned
