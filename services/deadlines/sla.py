"""The fold: from facts and a policy to how a clock stands. Pure; the same for every order (P6)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from services.deadlines.answers import answer
from services.deadlines.facts import FactKind
from services.deadlines.openings import Spell, beginning, edges, spells
from services.deadlines.policy import Policy
from services.deadlines.policy_parts import Basis, Satisfied, When
from services.deadlines.story import Story
from shared.contracts.codes import Stage

_AT_THE_END = datetime.max.replace(tzinfo=UTC)


class Lacking(StrEnum):
    """Why a clock is not satisfied."""

    PLAN = "plan"
    """Nobody has been chosen yet."""
    LAWFUL_RECIPIENT = "lawful_recipient"
    """The leg is empty, or the law permits telling none or not all of it."""
    DELIVERY = "delivery"
    """Somebody of the leg has not been told."""
    ANSWER = "answer"
    """The recipient has been told and has not said that it was."""
    CONSULT_STEP = "consult_step"
    """The consult has not come so far."""


class ClockState(StrEnum):
    """How a clock stands, breaches that were announced included."""

    OPEN = "open"
    SATISFIED = "satisfied"
    RELEASED = "released"
    """The duty ended before its time was over: reversed, dropped by a later plan, or entered in
    error."""
    BREACHED = "breached"
    BREACHED_THEN_CORRECTED = "breached_then_corrected"
    """Announced as breached; a fact dated in time came to light afterwards."""
    SATISFIED_LATE = "satisfied_late"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a clock stands by its facts alone. `lacking` is null exactly when nothing is owed; then
    `released` says whether that is because the duty ended."""

    basis_at: datetime
    due_at: datetime
    satisfied_at: datetime | None
    lacking: Lacking | None
    released: bool = False

    @property
    def in_time(self) -> bool:
        return self.satisfied_at is not None and self.satisfied_at <= self.due_at


def fold(policy: Policy, child_id: str, matter: str, story: Story) -> Standing | None:
    """How one clock stands, whatever the order of the facts; None: nothing has started it.

    `satisfied_at` is the beginning of the time since when nothing has been owed without a break:
    a plan that adds an agency opens the clock again until that agency is told, and the due time
    stays where it is.
    """
    basis_at = beginning(policy, child_id, matter, story)
    if basis_at is None:
        return None
    due_at = policy.length.end(basis_at)
    rule = policy.satisfied
    if rule.when is When.EVERY_AGENCY_TOLD:
        return _told(policy, child_id, story, basis_at, due_at)
    if rule.when is When.RECIPIENT_ANSWERED:
        met, since = answer(rule, child_id, matter, story)
        lacking = None if since else Lacking.ANSWER
        return Standing(basis_at, due_at, since, lacking, since is not None and met is None)
    steps = (story.step(FactKind(kind), child_id, matter) for kind in rule.by)
    met = min((at for at in steps if at is not None), default=None)
    return _reached(basis_at, due_at, met, story.in_error_at, Lacking.CONSULT_STEP)


def never_started(before: Standing) -> Standing:
    """Of a clock that ran until a fact came that took its beginning back: the notice turned out to
    tell nothing, or the acceptance not to hold. Nothing was ever owed."""
    return Standing(before.basis_at, before.due_at, before.basis_at, None, released=True)


def state_of(
    standing: Standing, breached_at: datetime | None, *, corrected: bool = False
) -> ClockState:
    """The state, given the due time at which a breach was announced (P6: it is never erased), and
    whether its correction was. What was corrected and is owed again is open until that is said.

    A correction must satisfy the announced due time and today's: amending the time of receipt
    cannot talk a breach away, and neither can a withdrawal.
    """
    if corrected and standing.in_time:
        return ClockState.BREACHED_THEN_CORRECTED
    if breached_at is None or corrected:
        if not standing.in_time:
            return ClockState.OPEN
        return ClockState.RELEASED if standing.released else ClockState.SATISFIED
    if standing.satisfied_at is None:
        return ClockState.BREACHED
    if standing.satisfied_at <= min(breached_at, standing.due_at):
        return ClockState.BREACHED_THEN_CORRECTED
    return ClockState.BREACHED if standing.released else ClockState.SATISFIED_LATE


def told_in_role(policy: Policy, child_id: str, story: Story) -> Mapping[str, datetime | None]:
    """Who has to be told by the latest plan, and when each first was; null while it was not."""
    rule = policy.satisfied
    if rule.role is None or not (plans := story.plans_for(rule.stage, child_id)):
        return {}
    leg = story.leg((rule.stage, max(plans), child_id, rule.role), _AT_THE_END)
    told = _first_told(rule, child_id, story)
    return {agency: told.get(agency) for agency in sorted(leg.agencies)}


def _reached(
    basis_at: datetime,
    due_at: datetime,
    met: datetime | None,
    ended: datetime | None,
    lacking: Lacking,
) -> Standing:
    since = min((at for at in (met, ended) if at is not None), default=None)
    return Standing(
        basis_at, due_at, since, None if since else lacking, since is not None and not met
    )


def _told(
    policy: Policy, child_id: str, story: Story, basis_at: datetime, due_at: datetime
) -> Standing:
    rule = policy.satisfied
    plans = story.plans_for(rule.stage, child_id)
    told = _first_told(rule, child_id, story)
    accepted = spells(story.decisions) if policy.basis == (Basis.ACCEPTED,) else None
    owed = _owed(policy, child_id, story, plans, accepted)
    moments = {*plans.values(), *told.values(), *edges(accepted or ())}
    moments |= _changes_of(rule, child_id, story, plans)
    if story.in_error_at is not None:
        moments.add(story.in_error_at)
    since: datetime | None = None
    lacking: Lacking | None = Lacking.PLAN
    released = False
    for moment in sorted(moments):
        lacking = _lacking_of(rule, child_id, story, _current(plans, moment), told, moment)
        released = lacking is not None and not owed(moment)
        since = None if lacking and not released else since or moment
    return Standing(basis_at, due_at, since, None if since else lacking, released)


def _first_told(rule: Satisfied, child_id: str, story: Story) -> dict[str, datetime]:
    """When each agency was first told of the child. A consult's outcome is no notice of the
    referral."""
    told: dict[str, datetime] = {}
    of_referral = rule.stage is not Stage.CONSULT_SHARED
    for each in story.tellings(child_id):
        if each.kind not in rule.by or (each.consult_outcome and of_referral):
            continue
        told[each.agency_id] = min(each.at, told.get(each.agency_id, each.at))
    return told


def _owed(
    policy: Policy,
    child_id: str,
    story: Story,
    plans: Mapping[int, datetime],
    accepted: Sequence[Spell] | None,
) -> Callable[[datetime], bool]:
    """Whether the duty is there at a moment."""
    rule = policy.satisfied

    def owed(moment: datetime) -> bool:
        if story.in_error_at is not None and moment >= story.in_error_at:
            return False
        if accepted is not None and not any(each.holds(moment) for each in accepted):
            return False
        version = _current(plans, moment)
        if not policy.applies.only_if_planned or version is None or rule.role is None:
            return True
        return story.has_leg(rule.stage, version, child_id, rule.role)

    return owed


def _changes_of(
    rule: Satisfied, child_id: str, story: Story, versions: Iterable[int]
) -> set[datetime]:
    """When somebody came to the leg, or left it."""
    if rule.role is None:
        return set()
    keys = ((rule.stage, version, child_id, rule.role) for version in versions)
    members = [each for key in keys for each in story.members.get(key, ())]
    return {at for each in members for at in (each.since, each.until) if at is not None}


def _current(plans: Mapping[int, datetime], moment: datetime) -> int | None:
    """The latest version that was planned by then."""
    return max((version for version, at in plans.items() if at <= moment), default=None)


def _lacking_of(
    rule: Satisfied,
    child_id: str,
    story: Story,
    version: int | None,
    told: Mapping[str, datetime],
    moment: datetime,
) -> Lacking | None:
    if version is None or rule.role is None:
        return Lacking.PLAN
    leg = story.leg((rule.stage, version, child_id, rule.role), moment)
    untold = {agency for agency in leg.agencies if agency not in told or told[agency] > moment}
    if not leg.agencies or leg.nobody_fits or untold & leg.refused:
        return Lacking.LAWFUL_RECIPIENT
    return Lacking.DELIVERY if untold else None
