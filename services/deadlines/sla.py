"""The fold: from facts and a policy to how a clock stands. Pure; the same for every order (P6)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from services.deadlines.answers import answer
from services.deadlines.facts import FactKind
from services.deadlines.openings import beginning
from services.deadlines.policy import Policy
from services.deadlines.policy_parts import Basis, Satisfied, When
from services.deadlines.spells import Spell, edges
from services.deadlines.story import Plan, Story
from shared.contracts.codes import Stage


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


class Standing(NamedTuple):
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
    if rule.role is None or not (plans := _plans(rule, child_id, story)):
        return {}
    members = [each for each in plans[0].leg or () if each.until is None]
    told = _first_told(policy, child_id, story)
    return {each: told.get(each) for each in sorted(m.agency_id for m in members if m.agency_id)}


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
    """From the last moment at which anything changed back to the one when nothing was owed yet."""
    plans, told = _plans(policy.satisfied, child_id, story), _first_told(policy, child_id, story)
    accepted = story.acceptances if policy.basis == (Basis.ACCEPTED,) else None
    since: datetime | None = None
    lacking: Lacking | None = Lacking.PLAN
    released = False
    for moment in sorted(_changes(plans, told, accepted, story), reverse=True):
        plan = next((each for each in plans if each.at <= moment), None)
        lacked = _lacked(plan, told, moment)
        ended = lacked is not None and not _owed(policy, plan, accepted, story, moment)
        if since is None:
            lacking, released = lacked, ended
        if lacked and not ended:
            break
        since = moment
    return Standing(basis_at, due_at, since, None if since else lacking, released)


def _plans(rule: Satisfied, child_id: str, story: Story) -> Sequence[Plan]:
    """Of the leg, the latest first."""
    assert rule.role is not None
    return story.plans_for(rule.stage, child_id, rule.role)


def _first_told(policy: Policy, child_id: str, story: Story) -> Mapping[str, datetime]:
    rule = policy.satisfied
    return story.first_told(child_id, rule.by, outcomes=rule.stage is Stage.CONSULT_SHARED)


def _changes(
    plans: Sequence[Plan],
    told: Mapping[str, datetime],
    accepted: Sequence[Spell] | None,
    story: Story,
) -> set[datetime]:
    """Every moment at which what is owed or lacking can have changed."""
    moments = {story.in_error_at, *(plan.at for plan in plans)}
    for plan in plans:
        for each in plan.leg or ():
            moments |= {each.since, each.until, told.get(each.agency_id or "")}
    if accepted is not None:
        # While it does not hold nothing is owed: since the first that is known to have happened.
        moments |= {*told.values(), *edges(accepted)}
    return {at for at in moments if at is not None}


def _owed(
    policy: Policy,
    plan: Plan | None,
    accepted: Sequence[Spell] | None,
    story: Story,
    moment: datetime,
) -> bool:
    """Whether the duty is there at a moment, `plan` being the latest then."""
    if story.in_error_at is not None and moment >= story.in_error_at:
        return False
    if accepted is not None and not any(each.holds(moment) for each in accepted):
        return False
    return not policy.applies.only_if_planned or plan is None or plan.leg is not None


def _lacked(plan: Plan | None, told: Mapping[str, datetime], moment: datetime) -> Lacking | None:
    """What was lacking at a moment, `plan` being the latest then."""
    if plan is None:
        return Lacking.PLAN
    there, untold = False, False
    for each in plan.leg or ():
        if not each.is_there(moment):
            continue
        there = True
        at = None if each.agency_id is None else told.get(each.agency_id)
        if at is not None and at <= moment:
            continue
        if each.refused or each.agency_id is None:
            return Lacking.LAWFUL_RECIPIENT
        untold = True
    if not there:
        return Lacking.LAWFUL_RECIPIENT
    return Lacking.DELIVERY if untold else None
