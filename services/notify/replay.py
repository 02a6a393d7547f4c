"""The same referrals under two rulebooks, and what differs. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from services.notify.agencies import Directory
from services.notify.facts import ReferralFacts
from services.notify.fanout import route
from services.notify.routes import Route
from services.notify.rule import Rulebook

PROGRESS_EVERY = 500

Told = tuple[str, str, str, str]
"""(fate, child id, agency id or the role that nobody fits, profile)."""


@dataclass(frozen=True, slots=True)
class Past:
    """A referral version as it was planned."""

    referral_id: str
    version: int
    facts: ReferralFacts
    planned_at: datetime
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One leg that the new rules add or take away."""

    referral_id: str
    version: int
    sign: str
    """+ or -."""
    fate: str
    child_id: str
    agency: str
    profile: str


@dataclass(slots=True)
class Difference:
    """What the new rules would change."""

    replayed: int = 0
    changed: int = 0
    changes: list[Change] = field(default_factory=list)

    @property
    def totals(self) -> Counter[tuple[str, str, str, str]]:
        """How often: (sign, fate, agency, profile)."""
        return Counter((c.sign, c.fate, c.agency, c.profile) for c in self.changes)

    def lines(self) -> Iterator[str]:
        """For a person: the totals, largest first."""
        yield f"{self.replayed} referral versions replayed, {self.changed} differ."
        for (sign, fate, agency, profile), count in sorted(
            self.totals.items(), key=lambda pair: (-pair[1], pair[0])
        ):
            sees = f" (profile {profile})" if profile else ""
            yield f"{sign} {fate:10} {agency}{sees}: {count}"


def replay(
    past: Iterable[Past],
    directory: Directory,
    old: Rulebook,
    new: Rulebook,
    progress: Callable[[int], None] = lambda _: None,
) -> Difference:
    """Route each under both rulebooks, on the day it was planned, by the directory given."""
    found = Difference()
    names = {each.agency_id: each.name for each in directory.agencies}
    for each in past:
        allowed = directory.samples if each.synthetic else directory
        before = _told(route(each.facts, allowed, old, each.planned_at))
        after = _told(route(each.facts, allowed, new, each.planned_at))
        gone = [_change(each, "-", leg, names) for leg in sorted(before - after)]
        come = [_change(each, "+", leg, names) for leg in sorted(after - before)]
        found.replayed += 1
        found.changed += bool(gone or come)
        found.changes += gone + come
        if found.replayed % PROGRESS_EVERY == 0:
            progress(found.replayed)
    progress(found.replayed)
    return found


def _told(found: Route) -> frozenset[Told]:
    return frozenset(
        [("told", leg.child_id, leg.agency_id, leg.profile) for leg in found.recipients]
        + [("refused", leg.child_id, leg.agency_id or leg.role.value, "") for leg in found.refused]
        + [("suppressed", leg.child_id, leg.agency_id, "") for leg in found.suppressed]
        + [(leg.effect.value, leg.child_id, leg.role.value, "") for leg in found.matters]
    )


def _change(past: Past, sign: str, leg: Told, names: dict[str, str]) -> Change:
    fate, child_id, agency_id, profile = leg
    name = names.get(agency_id, agency_id)
    return Change(past.referral_id, past.version, sign, fate, child_id, name, profile)
