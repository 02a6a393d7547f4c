"""The clocks of a referral, wound from its facts. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.deadlines.facts import Fact, Statement
from services.deadlines.policy import Policy, PolicyBook
from services.deadlines.sla import ClockState, Standing, fold, state_of, statements
from services.deadlines.verdicts import look_at
from shared.contracts.codes import Role
from shared.contracts.deadlines import BreachCorrected, ClockBreached


@dataclass(frozen=True, slots=True)
class Announced:
    """What was emitted about a clock: for good, with the due time that it spoke of."""

    due_at: datetime
    discovered_at: datetime
    satisfied_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """One duty towards one child of one referral, and how it stands."""

    clock_id: str
    referral_id: str
    child_id: str
    duty: str
    role: Role
    policy: str
    policy_version: str
    synthetic: bool
    standing: Standing
    state: ClockState
    look_at: datetime | None
    waiting_since: datetime | None = None
    breach: Announced | None = None
    correction: Announced | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is about, within its referral."""
        return self.child_id, self.duty

    @property
    def breached_at(self) -> datetime | None:
        return None if self.breach is None else self.breach.due_at

    @property
    def owes_correction(self) -> bool:
        return self.state is ClockState.BREACHED_THEN_CORRECTED and self.correction is None

    def breached(self, now: datetime) -> "Clock":
        """This clock once its breach is announced: dated at its due time, however late found."""
        due_at = self.standing.due_at
        return replace(
            self,
            breach=Announced(due_at, now),
            state=state_of(self.standing, due_at),
            look_at=None,
            waiting_since=None,
        )

    def breach_event(self) -> ClockBreached:
        assert self.breach is not None
        return ClockBreached(
            referral_id=self.referral_id,
            clock_id=self.clock_id,
            policy=self.policy,
            policy_version=self.policy_version,
            child_id=self.child_id,
            role=self.role,
            due_at=self.breach.due_at,
            discovered_at=self.breach.discovered_at,
        )

    def corrected(self, now: datetime) -> "Clock":
        """This clock once the correction that it owes is announced."""
        assert self.breach is not None
        announced = Announced(self.breach.due_at, now, self.standing.satisfied_at)
        return replace(self, correction=announced)

    def correction_event(self) -> BreachCorrected:
        assert self.correction is not None
        assert self.correction.satisfied_at is not None
        return BreachCorrected(
            referral_id=self.referral_id,
            clock_id=self.clock_id,
            policy=self.policy,
            policy_version=self.policy_version,
            child_id=self.child_id,
            role=self.role,
            due_at=self.correction.due_at,
            satisfied_at=self.correction.satisfied_at,
            discovered_at=self.correction.discovered_at,
        )


def wind(
    book: PolicyBook,
    facts: Sequence[Fact],
    running: Iterable[Clock],
    make_id: Callable[[], str],
) -> list[Clock]:
    """Every clock of one referral as its facts have it now: those running, and new ones.

    `facts` are all facts of that referral, `running` all its clocks. Raises UnknownPolicy.
    """
    return list(_wind(book, facts, {clock.key: clock for clock in running}, make_id))


def _wind(
    book: PolicyBook,
    facts: Sequence[Fact],
    running: dict[tuple[str, str], Clock],
    make_id: Callable[[], str],
) -> Iterator[Clock]:
    for child_id, statement in sorted(statements(facts).items()):
        own = {duty for child, duty in running if child == child_id}
        for duty in sorted(own.union(book.duties)):
            clock = running.get((child_id, duty))
            pinned = None if clock is None else (clock.policy, clock.policy_version)
            policy = book.governing(duty, statement, pinned)
            if policy is not None:
                yield _stand(clock, policy, child_id, statement, facts, make_id)


def _stand(
    clock: Clock | None,
    policy: Policy,
    child_id: str,
    statement: Statement,
    facts: Sequence[Fact],
    make_id: Callable[[], str],
) -> Clock:
    standing = fold(policy, child_id, statement, facts)
    breached_at = None if clock is None else clock.breached_at
    look = look_at(standing, breached_at)
    same_due = clock is not None and clock.standing.due_at == standing.due_at
    return Clock(
        clock_id=make_id() if clock is None else clock.clock_id,
        referral_id=facts[0].referral_id,
        child_id=child_id,
        duty=policy.duty,
        role=policy.role,
        policy=policy.policy,
        policy_version=policy.version,
        synthetic=statement.synthetic,
        standing=standing,
        state=state_of(standing, breached_at),
        look_at=look,
        waiting_since=clock.waiting_since if clock and same_due and look else None,
        breach=None if clock is None else clock.breach,
        correction=None if clock is None else clock.correction,
    )
