"""What starts a clock, and when. Pure."""

from collections.abc import Container, Sequence
from datetime import datetime

from services.deadlines.facts import FactKind
from services.deadlines.policy import Policy
from services.deadlines.policy_parts import PER_CONSULT, Basis
from services.deadlines.spells import Spell
from services.deadlines.story import Story

THE_CHILD = ""
"""The matter of a clock that is about the child as such, and of no consult or recipient."""


def matters(
    policy: Policy, child_id: str, story: Story, running: Container[str] = ()
) -> Sequence[str]:
    """What the clocks of one child under a policy are of: the child, its consults, or those that
    were told of it. `running`: the matters of its clocks, which need not begin again."""
    first = policy.basis[0]
    if first in PER_CONSULT:
        return story.consults(PER_CONSULT[first], child_id)
    if first is Basis.TOLD:
        told = story.told(child_id)
        return sorted(agency_id for agency_id in told if story.holdings(child_id, agency_id))
    if THE_CHILD in running:
        return ()
    rule = policy.satisfied
    if policy.applies.only_if_planned and (
        rule.role is None or story.planned(rule.stage, child_id, rule.role) is None
    ):
        return ()
    return () if beginning(policy, child_id, THE_CHILD, story) is None else (THE_CHILD,)


def beginning(policy: Policy, child_id: str, matter: str, story: Story) -> datetime | None:
    """When it began; of several facts that start it, by the earliest."""
    if len(policy.basis) == 1:
        return _time(policy.basis[0], policy, child_id, matter, story)
    times = [_time(basis, policy, child_id, matter, story) for basis in policy.basis]
    return min([at for at in times if at is not None], default=None)


def _time(
    basis: Basis, policy: Policy, child_id: str, matter: str, story: Story
) -> datetime | None:
    match basis:
        case Basis.RECEIVED:
            return _received_at(policy, child_id, story)
        case Basis.ACCEPTED:
            return _first_that_stood(policy, story.acceptances)
        case Basis.LEG_KNOWN:
            return _leg_known_at(policy, child_id, story)
        case Basis.IDENTIFIED:
            return story.step(FactKind.IDENTIFIED, child_id, None)
        case Basis.TOLD:
            return _first_that_stood(policy, story.holdings(child_id, matter))
        case Basis.CONSULT_REQUESTED | Basis.CONSULT_COMPLETED:
            return story.step(PER_CONSULT[basis], child_id, matter)


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
