"""The same referrals under two rulebooks, through every stage, and what differs. Pure.

Each is routed at every stage that rules know, reached or not, on the day it was planned. Whoever is
told at any of them would hear of a withdrawal.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.notify.directory.register import Directory
from services.notify.routing.facts import ReferralFacts
from services.notify.routing.fanout import route
from services.notify.routing.replay_legs import (
    INERT,
    TOLD,
    Pair,
    apart,
    differing,
    holders,
    seen,
    sign_of,
    told_by,
    words_of,
)
from services.notify.routing.routes import Matter, Recipient, Refused, Route, Suppressed
from services.notify.routing.rule import Rulebook
from services.notify.routing.rule_difference import rule_changes
from shared.contracts.codes import Stage, Trigger

PROGRESS_EVERY = 500

_TELLING = tuple(stage for stage in Stage if stage is not Stage.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Past:
    """A referral version as it was planned."""

    referral_id: str
    version: int
    facts: ReferralFacts
    planned_at: datetime
    directory_version: int = 0
    """By which it was routed."""
    reached: frozenset[Stage] = frozenset({Stage.RECEIVED})


@dataclass(frozen=True, slots=True)
class Change:
    """One leg of one stage that the new rules add, take away or change."""

    referral_id: str
    version: int
    stage: Stage
    child_id: str
    sign: str
    """+, - or ~."""
    says: str


@dataclass(slots=True)
class Difference:
    """What the new rules would change. Totals; nobody's referral."""

    replayed: int = 0
    changed: int = 0
    left_out: int = 0
    """Of the last plans, those that cannot be replayed: nobody could be told, no facts lie, or
    the content about a child was destroyed."""
    sample: bool = False
    """Whether it was the sample year, and no referral that ever was."""
    beside: "Difference | None" = None
    """What they would change in the sample year, where few referrals are on record."""
    by_stage: Counter[Stage] = field(default_factory=Counter)
    """Referral versions that differ."""
    reached: Counter[Stage] = field(default_factory=Counter)
    totals: Counter[tuple[Stage, str, str]] = field(default_factory=Counter)
    """How often: (stage, sign, what)."""
    rules: dict[str, str] = field(default_factory=dict)
    """What differs in the rules themselves, by id."""
    called_for: Counter[str] = field(default_factory=Counter)
    """How many legs those rules decided, under either version."""

    def lines(self) -> Iterator[str]:
        """For a person: what was replayed, each stage, the totals; the same of the sample year
        beside them; and the rules themselves."""
        yield from self._found()
        if self.beside is not None:
            yield from (f"Beside them: {line}" for line in self.beside._found())
        for id_, says in self.rules.items():
            yield f"Rule {says}{'' if self._tried(id_) else ' (no referral replayed calls for it)'}"

    def _found(self) -> Iterator[str]:
        what = "made-up referrals of the sample year" if self.sample else "referral versions"
        yield f"{self.replayed} {what} replayed, {self.changed} differ{self._but()}."
        if self.left_out:
            yield (
                f"{self.left_out} more cannot be replayed: nobody was told, or the facts do not "
                "lie here, or no longer."
            )
        for stage in Stage:
            yield f"{stage.value}: {self.by_stage[stage]} differ.{self._reached(stage)}"
        for (stage, sign, says), count in sorted(
            self.totals.items(), key=lambda pair: (_ORDER[pair[0][0]], -pair[1], pair[0][1:])
        ):
            yield f"{sign} {stage.value}: {says}: {count}"

    def _tried(self, id_: str) -> bool:
        return self._bears(id_) or (self.beside is not None and self.beside._bears(id_))

    def _bears(self, id_: str) -> bool:
        return self.called_for[id_] > 0 or not id_

    def _but(self) -> str:
        silent = sum(not self._bears(id_) for id_ in self.rules)
        if silent:
            rules = "1 changed rule is" if silent == 1 else f"{silent} changed rules are"
            return f"; {rules} called for by none of them"
        return "; the text of the rules does" if self.rules and not self.changed else ""

    def _reached(self, stage: Stage) -> str:
        if stage is Stage.RECEIVED:
            return ""
        came = self.reached[stage]
        said = f" {came} came to it; the others are replayed as if they had."
        if self.sample:
            said = " All are replayed as if they had come to it."
        if stage is Stage.WITHDRAWN:
            said += " Whoever is told at any stage hears of it; no plan goes by rules of its own."
        return said


_ORDER = {stage: place for place, stage in enumerate(Stage)}


def replay(
    past: Iterable[Past],
    directory_of: Callable[[int], Directory],
    old: Rulebook,
    new: Rulebook,
    progress: Callable[[int], None] = lambda _: None,
    each_change: Callable[[Change], None] = lambda _: None,
) -> Difference:
    """Route each under both rulebooks, by the directory of its version (`directory_of`)."""
    found = Difference(rules={each.id: each.says for each in rule_changes(old, new)})
    again = _Again(old, new, found, each_change)
    for each in past:
        again.compare(each, directory_of(each.directory_version))
        if found.replayed % PROGRESS_EVERY == 0:
            progress(found.replayed)
    progress(found.replayed)
    return found


class _Again:
    """Two rulebooks, and what was found so far."""

    def __init__(
        self, old: Rulebook, new: Rulebook, found: Difference, each_change: Callable[[Change], None]
    ) -> None:
        self._books = (old, new)
        self._found = found
        self._each_change = each_change
        self._stages = {
            (trigger, stage)
            for trigger in Trigger
            for stage in Stage
            if old.of(trigger, stage) != new.of(trigger, stage)
        }
        self._stand_ins = old.substitutes != new.substitutes

    def compare(self, past: Past, directory: Directory) -> None:
        """1. Route both ways what the rules may decide otherwise; nothing else can differ.
        2. Whoever hears of a withdrawal is whoever any stage tells."""
        found = self._found
        both = {s: self._both(past, s, directory) for s in Stage if self._may_differ(past, s)}
        pairs = {stage: _pairs(stage, *routes) for stage, routes in both.items()}
        withdrawn = self._withdrawn(past, both, directory)
        pairs[Stage.WITHDRAWN] = [*pairs.get(Stage.WITHDRAWN, ()), *withdrawn]
        for stage, mine in pairs.items():
            for pair in mine:
                change = _change(past, stage, pair, directory)
                found.totals[stage, change.sign, change.says] += 1
                self._each_change(change)
            found.by_stage[stage] += bool(mine)
        found.changed += any(pairs.values())
        found.replayed += 1
        found.reached.update(past.reached)

    def _may_differ(self, past: Past, stage: Stage) -> bool:
        facts = past.facts
        if (facts.trigger, stage) in self._stages:
            return True
        conflict = bool(facts.conflicts) or any(child.implicated for child in facts.children)
        return self._stand_ins and conflict

    def _both(self, past: Past, stage: Stage, directory: Directory) -> tuple[Route, Route]:
        before, after = (self._route(past, stage, directory, book) for book in self._books)
        return before, after

    def _route(self, past: Past, stage: Stage, directory: Directory, book: Rulebook) -> Route:
        found = route(replace(past.facts, stage=stage), directory, book, past.planned_at)
        self._count(found, directory, book)
        return found

    def _withdrawn(
        self, past: Past, both: Mapping[Stage, tuple[Route, Route]], directory: Directory
    ) -> list[Pair]:
        """The other stages tell the same under both."""
        mine = [routes for stage, routes in both.items() if stage in _TELLING]
        before = told_by(old for old, _ in mine)
        after = told_by(new for _, new in mine)
        gone, come = before - after, after - before
        if not gone and not come:
            return []
        rest = [stage for stage in _TELLING if stage not in both]
        others = told_by(self._route(past, s, directory, self._books[0]) for s in rest)
        return list(differing(holders(sorted(gone - others)), holders(sorted(come - others))))

    def _count(self, found: Route, directory: Directory, book: Rulebook) -> None:
        """Which of the rules that differ decided something."""
        rules, called_for = self._found.rules, self._found.called_for
        legs: list[Recipient | Refused | Suppressed | Matter]
        legs = [*found.recipients, *found.refused, *found.suppressed, *found.matters]
        called_for.update(leg.rule for leg in legs if leg.rule in rules)
        for left_out in found.suppressed:
            agency = directory.get(left_out.agency_id)
            stands_in = book.substitute_for(agency.kind) if agency else None
            if stands_in is not None:
                called_for[stands_in.id] += 1


def _pairs(stage: Stage, before: Route, after: Route) -> list[Pair]:
    told = INERT if stage is Stage.WITHDRAWN else TOLD
    old, new = (seen(each, told) for each in apart(before, after))
    return list(differing(old, new))


def _change(past: Past, stage: Stage, pair: Pair, directory: Directory) -> Change:
    leg = pair[0] or pair[1]
    assert leg is not None
    agency = directory.get(leg.who)
    says = words_of(pair, leg.who if agency is None else agency.name)
    return Change(past.referral_id, past.version, stage, leg.child_id, sign_of(pair), says)
