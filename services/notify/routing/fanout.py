"""Who must be told about each child of a referral, why, and who may not be told (P3).

A pure function of the facts, the directory, the rules and the time. Default deny: an agency
without legal authority in force, without the profile that the rule sends, without an encrypted
channel or with a conflict of interest is left out on record, never skipped in silence.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from services.notify.conflicts.rules import (
    Conflicts,
    Ground,
    conflicts_of,
    implicated_in,
    stand_ins,
)
from services.notify.directory.agencies import Agency
from services.notify.directory.authority import today
from services.notify.directory.register import Directory
from services.notify.routing.choosing import choose, gaps
from services.notify.routing.facts import ChildFacts, ReferralFacts
from services.notify.routing.routes import (
    Matter,
    Recipient,
    Refused,
    Route,
    StandIn,
    Suppressed,
)
from services.notify.routing.rule import Effect, Rule, Rulebook, Selector
from shared.contracts.codes import RefusalReason

IN_PLACE = "in place of another agency"
"""The tie of a substitute. It never says of which, nor why: its own copy of this is shown to it."""

_IN_CONFLICT = "in a conflict of interest; it is told nothing and shown nothing"
_LEFT_OUT = {
    Ground.IMPLICATED: f"implicated {_IN_CONFLICT}",
    Ground.ASSERTED: f"asserted {_IN_CONFLICT}",
    Ground.TAKEN_BACK: "a notice was taken back from it; it is told nothing more until two people "
    "lift that",
}

_Leg = Recipient | Refused | Suppressed | StandIn | Matter


def route(
    referral: ReferralFacts, directory: Directory, rulebook: Rulebook, now: datetime
) -> Route:
    """Name every recipient of every child. `now`: on which day in Connecticut authorities are
    looked at."""
    ordered = sorted(referral.children, key=lambda child: child.child_id)
    rules = rulebook.of(referral.trigger, referral.stage)
    on = today(now)
    legs: list[_Leg] = []
    unnamed = []
    by_child: dict[str, Conflicts] = {}
    meant = implicated_in(ordered, directory)
    for child in ordered:
        conflicts = conflicts_of(child.child_id, meant, referral.conflicts, directory)
        work = _Work(child, conflicts, directory, rulebook, on, referral.received_at)
        legs += work.legs(rule for rule in rules if rule.fits(child))
        unnamed += [child.child_id] if conflicts.unnamed and child.implicated else []
        if conflicts.grounds:
            by_child[child.child_id] = conflicts
    gaps_of = {child.child_id: gaps(child, directory) for child in ordered}
    open_towns = {child_id: found for child_id, found in gaps_of.items() if found}
    return Route(
        recipients=tuple(leg for leg in legs if isinstance(leg, Recipient)),
        refused=tuple(leg for leg in legs if isinstance(leg, Refused)),
        unresolved=tuple(open_towns),
        suppressed=tuple(leg for leg in legs if isinstance(leg, Suppressed)),
        stand_ins=tuple(leg for leg in legs if isinstance(leg, StandIn)),
        unnamed=tuple(unnamed),
        matters=tuple(leg for leg in legs if isinstance(leg, Matter)),
        conflicts=by_child,
        children=frozenset(child.child_id for child in ordered),
        gaps=open_towns,
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """One child's part of a route."""

    child: ChildFacts
    conflicts: Conflicts
    directory: Directory
    rulebook: Rulebook
    on: date
    at: datetime

    def legs(self, rules: Iterable[Rule]) -> list[_Leg]:
        """1. Everybody whom the rules choose, without those with a conflict.
        2. In place of those, whoever is told already counts for their role, or is told."""
        legs: list[_Leg] = []
        gaps: list[tuple[Rule, list[Agency]]] = []
        for rule in rules:
            found, left_out = self._of_rule(rule)
            _add(legs, found)
            if left_out:
                gaps.append((rule, left_out))
        for rule, left_out in gaps:
            legs += self._filled(rule, left_out, legs)
        return legs

    def _of_rule(self, rule: Rule) -> tuple[list[_Leg], list[Agency]]:
        if rule.effect is not Effect.NOTICE:
            words = rule.because.format(agency="", anchor="", citation=rule.citation)
            return [Matter(self.child.child_id, rule.role, rule.id, rule.effect, words)], []
        chosen = choose(self.child, rule, self.directory, self.at)
        legs: list[_Leg] = []
        left_out = []
        for agency, anchor in chosen:
            ground = self.conflicts.ground(agency)
            if ground is None:
                legs.append(self._leg(rule, agency, anchor))
            else:
                legs.append(self._suppressed(rule, agency, anchor, ground))
                left_out.append(agency)
        return (legs if chosen else [self._nobody(rule)]), left_out

    def _filled(self, rule: Rule, left_out: list[Agency], legs: list[_Leg]) -> Iterator[_Leg]:
        told = {leg.agency_id for leg in legs if isinstance(leg, Recipient)}
        tried = {leg.agency_id for leg in legs if isinstance(leg, Recipient | Refused)}
        filled = any(leg.role is rule.role for leg in legs if isinstance(leg, Recipient))
        chosen = {
            each.agency_id: each
            for agency in left_out
            for each in stand_ins(agency, self.conflicts, self.rulebook, self.directory)
        }
        for agency_id, agency in sorted(chosen.items()):
            if agency_id not in tried:
                leg = self._leg(rule, agency, IN_PLACE)
                yield leg
                filled = filled or isinstance(leg, Recipient)
            elif agency_id in told:
                yield StandIn(self.child.child_id, agency_id, rule.role)
                filled = True
        if not filled:
            yield self._nobody(rule)

    def _leg(self, rule: Rule, agency: Agency, anchor: str) -> Recipient | Refused:
        because = rule.because.format(agency=agency.name, anchor=anchor, citation=rule.citation)
        if anchor == IN_PLACE:
            because = f"{agency.name}: {IN_PLACE}, {rule.citation}"
        reason = agency.refusal(self.on)
        if reason is None and agency.profile != rule.profile:
            # What it may see is not what this rule sends, so nothing on file covers it.
            reason = RefusalReason.NO_AUTHORITY_ON_FILE
        child_id, agency_id = self.child.child_id, agency.agency_id
        if reason is not None:
            return Refused(child_id, agency_id, rule.role, rule.id, because, reason)
        return Recipient(
            child_id=child_id,
            agency_id=agency_id,
            role=rule.role,
            profile=rule.profile,
            authority=authority_line(rule.citation, agency.authority or ""),
            purpose=rule.purpose,
            rule=rule.id,
            because=because,
            form=rule.form,
            in_place=anchor == IN_PLACE,
        )

    def _suppressed(self, rule: Rule, agency: Agency, anchor: str, ground: Ground) -> Suppressed:
        if rule.select is Selector.MDT_OF_DISTRICT:
            anchor = f"judicial district of the {anchor}"
        because = f"{agency.name}: {anchor}, and {_LEFT_OUT[ground]}"
        child_id = self.child.child_id
        return Suppressed(child_id, agency.agency_id, rule.role, rule.id, ground, because)

    def _nobody(self, rule: Rule) -> Refused:
        because = f"nobody on file may be told for this child, {rule.citation}"
        reason = RefusalReason.NO_AGENCY_FOR_ROLE
        return Refused(self.child.child_id, None, rule.role, rule.id, because, reason)


def _add(legs: list[_Leg], found: Iterable[_Leg]) -> None:
    """An agency has one leg to a child, of the first rule that tells it; where it was refused by
    that one, of the next. Of another role, its leg counts for that role too."""
    for leg in found:
        known = None if isinstance(leg, Matter) else _known(legs, leg.agency_id)
        if known is None:
            legs.append(leg)
        elif isinstance(known, Refused) and isinstance(leg, Recipient):
            legs[legs.index(known)] = leg
        elif isinstance(known, Recipient) and leg.role is not known.role:
            legs.append(StandIn(known.child_id, known.agency_id, leg.role))


def _known(legs: Iterable[_Leg], agency_id: str | None) -> Recipient | Refused | Suppressed | None:
    if agency_id is None:
        return None
    theirs = (each for each in legs if isinstance(each, Recipient | Refused | Suppressed))
    return next((each for each in theirs if each.agency_id == agency_id), None)


def authority_line(duty: str, on_file: str) -> str:
    """The law that makes us tell, and the one on file that lets the agency be told."""
    return on_file if duty in on_file.split("; ") else f"{duty}; {on_file}"
