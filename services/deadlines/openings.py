"""What starts a clock, and when. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.deadlines.facts import FactKind
from services.deadlines.policy import Policy
from services.deadlines.policy_parts import PER_CONSULT, Basis
from services.deadlines.story import Story

THE_CHILD = ""
"""The matter of a clock that is about the child as such, and of no consult or recipient."""


@dataclass(frozen=True, slots=True)
class Spell:
    """While an acceptance held, or an agency a notice. `end` is null as long as it does."""

    start: datetime
    end: datetime | None

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)


def edges(found: Iterable[Spell]) -> set[datetime]:
    """When any of them began or ended."""
    return {at for each in found for at in (each.start, each.end) if at is not None}


def matters(policy: Policy, child_id: str, story: Story) -> Sequence[str]:
    """What the clocks of one child under a policy are of: the child, its consults, or those that
    were told of it."""
    (first, *_) = policy.basis
    if first in PER_CONSULT:
        return story.consults(PER_CONSULT[first], child_id)
    if first is Basis.TOLD:
        told = {each.agency_id for each in story.tellings(child_id)}
        return sorted(each for each in told if holdings(child_id, each, story))
    rule = policy.satisfied
    if policy.applies.only_if_planned and (
        rule.role is None or story.planned(rule.stage, child_id, rule.role) is None
    ):
        return ()
    return () if beginning(policy, child_id, THE_CHILD, story) is None else (THE_CHILD,)


def beginning(policy: Policy, child_id: str, matter: str, story: Story) -> datetime | None:
    """When it began; of several facts that start it, by the earliest."""
    times = (_time(basis, policy, child_id, matter, story) for basis in policy.basis)
    return min((at for at in times if at is not None), default=None)


def _time(
    basis: Basis, policy: Policy, child_id: str, matter: str, story: Story
) -> datetime | None:
    match basis:
        case Basis.RECEIVED:
            return _received_at(policy, child_id, story)
        case Basis.ACCEPTED:
            return _first_that_stood(policy, spells(story.decisions))
        case Basis.LEG_KNOWN:
            return _leg_known_at(policy, child_id, story)
        case Basis.IDENTIFIED:
            return story.step(FactKind.IDENTIFIED, child_id, None)
        case Basis.TOLD:
            return _first_that_stood(policy, holdings(child_id, matter, story))
        case Basis.CONSULT_REQUESTED | Basis.CONSULT_COMPLETED:
            return story.step(PER_CONSULT[basis], child_id, matter)


def spells(decisions: Mapping[int, tuple[bool, datetime]]) -> list[Spell]:
    """When the acceptance held: at any time the decision with the highest number made by then."""
    found: list[Spell] = []
    holding = 0
    for number, (accepted, at) in sorted(decisions.items(), key=lambda each: (each[1][1], each[0])):
        if number < holding:
            continue
        holding = number
        running = bool(found) and found[-1].end is None
        if accepted and not running:
            found.append(Spell(at, None))
        elif not accepted and running:
            found[-1] = Spell(found[-1].start, at)
    return [each for each in found if each.end != each.start]


def holdings(child_id: str, agency_id: str, story: Story) -> list[Spell]:
    """When an agency held what it was told of the child: until it left."""
    found: list[Spell] = []
    left = sorted(story.departures(child_id, agency_id), key=lambda each: each.at)
    told = (each for each in story.tellings(child_id) if each.agency_id == agency_id)
    for each in sorted(told, key=lambda each: each.at):
        end = next((departure.at for departure in left if departure.ends(each)), None)
        if end is not None and end <= each.at:
            continue
        last = found[-1] if found else None
        if last is None or (last.end is not None and last.end < each.at):
            found.append(Spell(each.at, end))
        elif last.end is not None:
            found[-1] = Spell(last.start, None if end is None else max(end, last.end))
    return found


def _received_at(policy: Policy, child_id: str, story: Story) -> datetime:
    """The latest word on it, but none that was recorded after the time was over by the words
    before moves the end further off: so amending it takes no breach back, announced or not. One
    that says it was received earlier still counts, for that breach came to light late (C33)."""
    first, *later = story.stated(child_id)
    received_at = first.received_at
    for each in later:
        in_time = each.recorded_at <= policy.length.end(received_at)
        received_at = each.received_at if in_time else min(received_at, each.received_at)
    return received_at


def _first_that_stood(policy: Policy, held: Sequence[Spell]) -> datetime | None:
    """The beginning of the first that did not end before the clock ran out, or of the last."""
    for each in held:
        if each.end is None or each.end > policy.length.end(each.start):
            return each.start
    return held[-1].start if held else None


def _leg_known_at(policy: Policy, child_id: str, story: Story) -> datetime | None:
    """Receipt, unless only a later version called for the recipient: then it was discovered when
    that version was recorded."""
    stage, role = policy.satisfied.stage, policy.satisfied.role
    version = None if role is None else story.planned(stage, child_id, role)
    if version is None:
        return None
    if version == 1:
        return _received_at(policy, child_id, story)
    return story.recorded.get(version) or story.plans[stage].get(version)
